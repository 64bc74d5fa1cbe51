import { Notification } from '@jupyterlab/apputils';
import { IContext } from './context';
import { sentence } from './failure';
import { harmless } from './fields';
import { shortPath } from './format';
import { INotebook } from './notebooks';
import { INote } from './notes';
import { IKept, IRequest } from './types';

/** Where a kernel is started: in a new notebook or console, in an open notebook, or in one that is being opened. */
export type Place =
  | { mode: 'notebook' | 'console'; cwd: string }
  | { mode: 'current'; notebook: INotebook }
  | { mode: 'opening'; begin: (name: string) => void };

export interface IPick {
  place: Place;
  request?: IRequest;
  note?: INote;
  notice?: string;
}

const IDLE_MS = 5000;
const LAST = 'jupyter-hpcctr:last';

async function startIn(context: IContext, place: Place, name: string): Promise<void> {
  const { app } = context;
  if (place.mode === 'current') {
    await place.notebook.session.changeKernel({ name });
  } else if (place.mode === 'opening') {
    place.begin(name);
  } else if (place.mode === 'console') {
    await app.commands.execute('console:create', { path: `${place.cwd}/console`, kernelPreference: { name } });
  } else if (app.commands.hasCommand('notebook:create-new')) {
    await app.commands.execute('notebook:create-new', { cwd: place.cwd, kernelName: name });
  } else {
    const made = await app.commands.execute('docmanager:new-untitled', { path: place.cwd, type: 'notebook' });
    await app.commands.execute('docmanager:open', { path: made.path, factory: 'Notebook', kernel: { name } });
  }
}

/**
 * Start a kernel by the name of its kernelspec. The launch answers at once; what follows is seen in the jobs.
 *
 * `then` is called when there is a kernel to talk to, which may be long before it runs.
 */
export async function start(
  context: IContext,
  place: Place,
  kept: Pick<IKept, 'name'>,
  then: () => void = () => undefined
): Promise<void> {
  await context.app.serviceManager.kernelspecs.refreshSpecs();
  // A kernel that cannot be started is reported by JupyterLab itself; nobody waits for one that can.
  startIn(context, place, kept.name).then(then).catch(error => Notification.error(sentence(error)));
}

/** Remember what the form begins with next time: no image of which nobody knows whether it exists. */
async function remember(context: IContext, request: IRequest, isImage: boolean): Promise<void> {
  const { image, ...others } = harmless(request);
  const kept = isImage ? { image, ...others } : others;
  // The kernel starts, whether or not that can be remembered.
  await context.state?.save(LAST, kept as never).catch(() => undefined);
}

async function lastRequest(context: IContext): Promise<IRequest> {
  return harmless(await context.state?.fetch(LAST).catch(() => undefined));
}

/**
 * Load the form's code and have the server know its schedulers, when the browser has nothing else to do.
 *
 * The form then opens at once. What fails here fails again, and is told, when the form is opened.
 */
export function prefetch(context: IContext): void {
  const begin = () => {
    void import('./picker/dialog').catch(() => undefined);
    void context.api.options().catch(() => undefined);
  };
  if (typeof window.requestIdleCallback === 'function') {
    window.requestIdleCallback(begin, { timeout: IDLE_MS });
  } else {
    window.setTimeout(begin, IDLE_MS);
  }
}

function lost({ trans }: IContext, place: Place): string {
  const path = place.mode === 'current' ? shortPath(place.notebook.path) : '';
  return trans.__('The present kernel of %1 ends, and its variables are lost.', path);
}

/** Show the form; nothing is started before "Start" is pressed in it. */
export async function pick(context: IContext, options: IPick): Promise<void> {
  const { trans, api, pulls } = context;
  const { place, note } = options;
  const kernel = place.mode === 'current' ? place.notebook.session.session?.kernel : null;
  const notice = kernel ? lost(context, place) : '';
  const { showPicker } = await import('./picker/dialog');
  await showPicker({
    api,
    pulls,
    contents: context.app.serviceManager.contents,
    trans,
    initial: options.request ?? (await lastRequest(context)),
    note,
    notice: options.notice ?? notice,
    start: async (kept, isImage) => {
      await start(context, place, kept);
      await remember(context, kept.request, isImage);
    },
    saved: context.environmentsChanged
  });
}

/** Offer the container that a notebook ran in; `begin` gets the name of the kernel if it is to be started. */
export function offerStored(context: IContext, note: INote, begin: (name: string) => void): Promise<void> {
  const notice = context.trans.__(
    'This notebook ran in the image %1, in a kernel that is not known here. Its resources are fitted to this cluster.',
    note.image.reference
  );
  return pick(context, { place: { mode: 'opening', begin }, note, notice });
}
