import { IContext } from './context';
import { INotebook } from './notebooks';
import { KEY, noteOf, readNote } from './notes';
import { offerStored } from './starting';

/** Write into each notebook in which container its kernel runs. */
export function keepNotes(context: IContext): void {
  const { jobs, notebooks } = context;
  const keep = () => {
    for (const { model, session } of notebooks.all) {
      const job = jobs.ofKernel(session.session?.kernel?.id);
      const note = job ? noteOf(job) : null;
      if (note?.image.digest && !model.readOnly && JSON.stringify(note) !== JSON.stringify(model.getMetadata(KEY))) {
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

function visible(context: IContext, notebook: INotebook): Promise<void> {
  return new Promise(resolve => {
    const look = () => {
      if (notebook.widget.isVisible && !notebook.widget.isDisposed) {
        context.notebooks.changed.disconnect(look);
        resolve();
      }
    };
    context.notebooks.changed.connect(look);
    look();
  });
}

/**
 * Offer a notebook's container when it is opened where its kernel is not known.
 *
 * JupyterLab would ask for a kernel as soon as the file is read; its preference says then that none is to be started.
 */
export function offerNotes(context: IContext): void {
  const { kernelspecs } = context.app.serviceManager;
  const foreign = (notebook: INotebook) =>
    context.settings.offerStored && !isKnown(context, notebook) ? readNote(notebook.model.getMetadata(KEY)) : null;
  const offer = async (notebook: INotebook) => {
    const { session, widget } = notebook;
    await session.ready;
    await visible(context, notebook);
    session.kernelPreference = { ...session.kernelPreference, shouldStart: true };
    const note = foreign(notebook);
    if (note && !session.session?.kernel && !widget.isDisposed) {
      await offerStored(context, notebook, note);
    }
  };
  context.notebooks.added.connect(async (_, notebook) => {
    await Promise.all([notebook.ready, kernelspecs.ready]).catch(() => undefined);
    const { session } = notebook;
    if (session.kernelPreference.shouldStart !== false && foreign(notebook)) {
      session.kernelPreference = { ...session.kernelPreference, shouldStart: false };
      await offer(notebook);
    }
  });
}
