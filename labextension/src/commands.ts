import { CommandRegistry } from '@lumino/commands';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import * as actions from './actions';
import { CANCEL, CHANGE, CONTINUE, IContext, JOBS, LOG, NEW, OPEN, REMOVE, RESTART } from './context';
import { harmless } from './fields';
import { containerIcon } from './icons';
import { isHere } from './model';
import { showLog } from './sidepanel';
import { pick, Place } from './starting';
import { IJob } from './types';

type Args = ReadonlyPartialJSONObject;

function place(context: IContext, args: Args): Place {
  const notebook = context.notebooks.current;
  if (args.mode === 'current' && notebook) {
    return { mode: 'current', notebook };
  }
  const cwd = typeof args.cwd === 'string' ? args.cwd : '';
  return { mode: args.mode === 'console' ? 'console' : 'notebook', cwd };
}

/** JSON Schema of a command's arguments, as the registry wants it. */
function described(properties: { [name: string]: { type: string; description: string } }) {
  return { args: { type: 'object' as const, properties } } as CommandRegistry.ICommandOptions['describedBy'];
}

function addForm(context: IContext): void {
  const { trans, app } = context;
  app.commands.addCommand(NEW, {
    label: trans.__('New container kernel…'),
    caption: trans.__('Choose an image and resources for a kernel on the cluster'),
    icon: containerIcon,
    describedBy: described({
      request: { type: 'object', description: 'What the form begins with; only image and resources are taken.' },
      mode: { type: 'string', description: '"notebook", "console" or "current".' },
      cwd: { type: 'string', description: 'The directory of a new notebook.' }
    }),
    // Whatever the arguments are, and whoever has written them: what follows is a form.
    execute: args =>
      pick(context, { place: place(context, args), request: args.request ? harmless(args.request) : undefined })
  });
  app.commands.addCommand(CHANGE, {
    label: args => (args.toolbar ? '' : trans.__('Change to container kernel…')),
    caption: trans.__('Run this notebook in a container on the cluster'),
    icon: args => (args.isMenu ? undefined : containerIcon),
    isEnabled: () => context.notebooks.current !== undefined,
    describedBy: described({}),
    execute: () => {
      const notebook = context.notebooks.current;
      const job = context.jobs.ofKernel(notebook?.session.session?.kernel?.id);
      return notebook && pick(context, { place: { mode: 'current', notebook }, request: job && harmless(job.request) });
    }
  });
}

function isPossible(command: string, job: IJob | undefined): boolean {
  return job !== undefined && (command !== RESTART || isHere(job));
}

function addJobs(context: IContext): void {
  const { trans, app } = context;
  app.commands.addCommand(JOBS, {
    label: trans.__('Show Cluster Jobs'),
    describedBy: described({}),
    execute: () => app.shell.activateById('hpcctr-jobs')
  });
  const of = (args: Args): IJob | undefined =>
    typeof args.id === 'string'
      ? context.jobs.get(args.id)
      : context.jobs.ofKernel(context.notebooks.current?.session.session?.kernel?.id);
  const each: [string, string, (context: IContext, job: IJob) => Promise<void>][] = [
    [CANCEL, trans.__('Cancel the Notebook’s Job…'), actions.cancel],
    [RESTART, trans.__('Restart the Notebook’s Job or Kernel…'), actions.restart],
    [LOG, trans.__('Show the Log of the Notebook’s Job'), showLog],
    [OPEN, trans.__('Open a Job’s Notebook'), actions.open],
    [CONTINUE, trans.__('Continue the Notebook in a New Job…'), actions.continueAnew],
    [REMOVE, trans.__('Remove an Ended Job from the List'), actions.remove]
  ];
  for (const [command, label, run] of each) {
    app.commands.addCommand(command, {
      label,
      isEnabled: args => isPossible(command, of(args)),
      describedBy: described({ id: { type: 'string', description: 'The job; without, the current notebook’s.' } }),
      execute: async args => {
        const job = of(args);
        if (job) {
          await run(context, job);
        }
      }
    });
  }
}

/** Register the commands. */
export function addCommands(context: IContext): void {
  addForm(context);
  addJobs(context);
}
