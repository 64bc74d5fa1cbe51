import { Notification } from '@jupyterlab/apputils';
import { IContext } from './context';
import { sentence } from './failure';
import { INotebook } from './notebooks';
import { isNoted, KEY, noteOf, readNote } from './notes';
import { offerStored } from './starting';

/** Write into each notebook in which container its kernel runs. */
export function keepNotes(context: IContext): void {
  const { jobs, notebooks } = context;
  const keep = () => {
    for (const { model, session } of notebooks.all) {
      const job = jobs.ofKernel(session.session?.kernel?.id);
      const present = model.getMetadata(KEY);
      const note = job ? noteOf(job, present) : null;
      if (note?.image.digest && !model.readOnly && !isNoted(note, present)) {
        model.setMetadata(KEY, note);
      }
    }
  };
  jobs.changed.connect(keep);
  notebooks.changed.connect(keep);
}

/** The kernelspec that a notebook's file names, if it is known here. */
function isKnown(context: IContext, notebook: INotebook): boolean {
  const spec = notebook.model.getMetadata('kernelspec') as { name?: string } | undefined;
  const known = context.app.serviceManager.kernelspecs.specs?.kernelspecs ?? {};
  return spec?.name !== undefined && spec.name in known;
}

/** Wait until somebody looks at a notebook; false when it was closed before. */
function visible(context: IContext, notebook: INotebook): Promise<boolean> {
  return new Promise(resolve => {
    const look = () => {
      if (notebook.widget.isVisible || notebook.widget.isDisposed) {
        context.notebooks.changed.disconnect(look);
        resolve(!notebook.widget.isDisposed);
      }
    };
    context.notebooks.changed.connect(look);
    look();
  });
}

const PATIENCE_MS = 10_000;

/**
 * Have a notebook of ours start one kernel only.
 *
 * JupyterLab starts another when a cell is run before it has found the one that runs, as soon after a reload of the
 * page, and ends the first; or two at once. Each would be a job.
 */
export function startOnce(context: IContext, notebook: INotebook): void {
  const { session, model } = notebook;
  const begin = session.startKernel.bind(session);
  const start = async () => {
    const ours = !session.session && readNote(model.getMetadata(KEY)) !== null;
    if (ours && (await hasSession(context, notebook).catch(() => false))) {
      await Promise.race([session.ready, new Promise(resolve => setTimeout(resolve, PATIENCE_MS))]);
      if (session.session?.kernel) {
        return false;
      }
    }
    return begin();
  };
  let begun: Promise<boolean> | null = null;
  session.startKernel = () => (begun ??= start().finally(() => (begun = null)));
}

/** Whether a kernel runs for a notebook already, as after a reload of the page. */
async function hasSession(context: IContext, notebook: INotebook): Promise<boolean> {
  const { sessions } = context.app.serviceManager;
  await sessions.refreshRunning();
  return [...sessions.running()].some(each => each.path === notebook.path);
}

/**
 * Offer a notebook's container when it is opened where its kernel is not known.
 *
 * JupyterLab would take another kernel of the same language, or ask for one, as soon as the file is read: that waits
 * until our question is answered, and goes on as usual where the answer is no.
 */
export function offerNotes(context: IContext): void {
  const { serviceManager } = context.app;
  const foreign = async (notebook: INotebook) => {
    const note = context.settings.offerStored ? readNote(notebook.model.getMetadata(KEY)) : null;
    if (note === null) {
      return null;
    }
    await Promise.all([serviceManager.kernelspecs.ready, serviceManager.sessions.ready]);
    return isKnown(context, notebook) || (await hasSession(context, notebook)) ? null : note;
  };
  context.notebooks.added.connect((_, notebook) => {
    const { session } = notebook;
    startOnce(context, notebook);
    const initialize = session.initialize.bind(session);
    session.initialize = async () => {
      session.initialize = initialize;
      const note = await foreign(notebook).catch(() => null);
      if (note && (await visible(context, notebook))) {
        await offerStored(context, note, name => {
          session.kernelPreference = { ...session.kernelPreference, name, shouldStart: true };
        }).catch(error => void Notification.error(sentence(error)));
      }
      return session.isDisposed ? false : initialize();
    };
  });
}
