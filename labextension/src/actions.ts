import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import { KernelAPI } from '@jupyterlab/services';
import * as React from 'react';
import { IContext } from './context';
import { sentence } from './failure';
import { capital, fullName, jobName, shortPath } from './format';
import { isFinal } from './model';
import { INotebook } from './notebooks';
import { KEY, restoreCode } from './notes';
import { restore } from './restoring';
import { start } from './starting';
import { IJob } from './types';

interface IQuestion {
  title: string;
  body: string | React.ReactElement;
  yes: string;
  no: string;
}

/** Every command that ends or begins something asks first: it may have come from a link in somebody else's notebook. */
async function sure(question: IQuestion): Promise<boolean> {
  const { title, body, yes, no } = question;
  const buttons = [Dialog.cancelButton({ label: no }), Dialog.warnButton({ label: yes })];
  const answer = await showDialog({ title, body, buttons, defaultButton: 0 });
  return answer.button.accept;
}

async function tell(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    Notification.error(sentence(error));
  }
}

/** Cancel a job. */
export async function cancel(context: IContext, job: IJob): Promise<void> {
  const { trans } = context;
  const lost = trans.__('All variables of its kernel are lost.');
  const what = job.state === 'running' ? lost : trans.__('Its kernel does not start.');
  const question = {
    title: trans.__('Cancel %1?', fullName(job, trans)),
    body: job.owner ? trans.__('%1 has this kernel. %2', capital(job.owner), what) : what,
    yes: trans.__('Cancel job'),
    no: trans.__('Keep it')
  };
  if (!isFinal(job) && (await sure(question))) {
    const now = context.jobs.get(job.id); // one that has ended meanwhile would leave the list
    await tell(now && isFinal(now) ? Promise.resolve() : context.api.remove(job.id));
  }
}

/** Go on in this server with the kernel of a job elsewhere; asked first where another process has it. */
export async function take(context: IContext, job: IJob): Promise<void> {
  const { trans, api, app, jobs } = context;
  const question = {
    title: trans.__('Take over %1?', fullName(job, trans)),
    body: trans.__(
      '%1 has this kernel and will lose it; its notebook is told. Variables are kept, and running cells go on here.',
      capital(job.owner ?? '')
    ),
    yes: trans.__('Take over'),
    no: trans.__('Leave it there')
  };
  if (!job.owner || (await sure(question))) {
    await tell(
      (async () => {
        const taken = await api.take(job.id, !!job.owner);
        await Promise.all([jobs.refresh(), app.serviceManager.sessions.refreshRunning()]);
        if (taken.notebook) {
          await show(context, taken);
        }
      })()
    );
  }
}

/** Cancel all jobs of this server, after a question that somebody else has asked; ended ones leave the list. */
export async function cancelAll(context: IContext): Promise<void> {
  await tell(Promise.all(context.jobs.own.map(job => context.api.remove(job.id))));
}

/** Take a job that has ended out of the list. */
export async function remove(context: IContext, job: IJob): Promise<void> {
  await context.jobs.refresh();
  const now = context.jobs.get(job.id); // one that was restarted meanwhile would be cancelled
  if (now && isFinal(now)) {
    await tell(context.api.remove(job.id).then(() => context.jobs.refresh()));
  }
}

/** Restart a job's kernel: in its job while that runs, else in a new one. */
export async function restart(context: IContext, job: IJob): Promise<void> {
  const { trans, app } = context;
  const kernel = context.notebooks.ofKernel(job.kernel_id)?.session.session?.kernel;
  const { kernels, serverSettings } = app.serviceManager;
  if (!kernel && ![...kernels.running()].some(each => each.id === job.kernel_id)) {
    return continueAnew(context, job); // it was shut down, and its id with it
  }
  const question = {
    title: trans.__('Restart the kernel of %1?', fullName(job, trans)),
    body: isFinal(job)
      ? trans.__('This submits a new job with the same resources.')
      : trans.__('All its variables are lost.'),
    yes: trans.__('Restart'),
    no: trans.__('Back')
  };
  if (await sure(question)) {
    await tell(kernel ? kernel.restart() : KernelAPI.restartKernel(job.kernel_id, serverSettings));
  }
}

/** Start the same request anew for a job's notebook. */
export async function continueAnew(context: IContext, job: IJob): Promise<void> {
  const { trans } = context;
  const code = restoreCode(job, openNotebook(context, job)?.model.getMetadata(KEY));
  const question = {
    title: job.notebook
      ? trans.__('Continue %1 in a new job?', shortPath(job.notebook))
      : trans.__('Continue in a new job?'),
    body: continuing(context, job, code),
    yes: trans.__('Continue in a new job'),
    no: trans.__('Back')
  };
  if (!(await sure(question))) {
    return;
  }
  await tell(
    (async () => {
      const name = await kernelspecFor(context, job);
      const notebook = await notebookOf(context, job);
      if (!notebook) {
        throw new Error(trans.__('The job has no notebook that is open.'));
      }
      await start(context, { mode: 'current', notebook }, { name }, () => {
        if (code) {
          void restore(context, notebook, code);
        }
      });
    })()
  );
}

// All of the code is shown: it may have come with somebody else's notebook.
function continuing({ trans }: IContext, job: IJob, code: string): string | React.ReactElement {
  const body = trans.__(
    'This submits a job like %1. The notebook’s present kernel ends, and its variables are lost.',
    jobName(job, trans)
  );
  if (!code) {
    return body;
  }
  const first = trans.__('In the new job this code of the notebook runs first:');
  const pre = React.createElement('pre', { className: 'jp-Hpcctr-restore' }, code);
  const lines = [body, first].map(line => React.createElement('p', { key: line }, line));
  return React.createElement('div', null, ...lines, pre);
}

// The one that it was started by, which has the environment variables too; the list of jobs tells nobody of those.
async function kernelspecFor(context: IContext, job: IJob): Promise<string> {
  const { kernelspecs } = context.app.serviceManager;
  await kernelspecs.refreshSpecs();
  return job.kernel_name in (kernelspecs.specs?.kernelspecs ?? {})
    ? job.kernel_name
    : (await context.api.keep(job.request)).name;
}

// The job's own, opened if it is not; never another one, whose kernel would end.
async function notebookOf(context: IContext, job: IJob): Promise<INotebook | undefined> {
  if (!openNotebook(context, job)) {
    await show(context, job);
  }
  return openNotebook(context, job);
}

function openNotebook({ notebooks }: IContext, job: IJob): INotebook | undefined {
  return (
    notebooks.ofKernel(job.kernel_id) ??
    notebooks.all.find(each => job.notebook !== null && each.path === job.notebook)
  );
}

/** Open a job's notebook. */
export function open(context: IContext, job: IJob): Promise<void> {
  return tell(show(context, job));
}

async function show(context: IContext, job: IJob): Promise<void> {
  const known = context.notebooks.ofKernel(job.kernel_id);
  if (known) {
    context.app.shell.activateById(known.widget.id);
  } else if (job.notebook) {
    const widget = await context.app.commands.execute('docmanager:open', { path: job.notebook, factory: 'Notebook' });
    await widget?.context?.ready;
    await widget?.context?.sessionContext?.ready;
  }
}
