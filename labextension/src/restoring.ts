import { Notification } from '@jupyterlab/apputils';
import { KernelMessage } from '@jupyterlab/services';
import { IContext } from './context';
import { shortPath } from './format';
import { INotebook } from './notebooks';

/** Run the code that restores a notebook's work in its new kernel, before its cells, and say what came of it. */
export async function restore({ trans }: IContext, notebook: INotebook, code: string): Promise<void> {
  const kernel = notebook.session.session?.kernel;
  if (!kernel) {
    return;
  }
  const path = shortPath(notebook.path);
  const waits = trans.__('%1: the restore code runs first, when the kernel is there.', path);
  const id = Notification.emit(waits, 'in-progress', { autoClose: false });
  const printed: string[] = [];
  // Cells that are run meanwhile wait behind it; after an error they do not run.
  const future = kernel.requestExecute({ code, store_history: false, stop_on_error: true });
  future.onIOPub = message => {
    if (KernelMessage.isStreamMsg(message)) {
      printed.push(message.content.text);
    }
  };
  const reply = await future.done.catch(() => null); // the kernel was shut down, or changed
  if (!reply) {
    Notification.dismiss(id);
  } else if (reply.content.status === 'ok') {
    const message = [trans.__('%1: the restore code has run.', path), shortened(printed)].filter(Boolean).join(' ');
    Notification.update({ id, message, type: 'success', autoClose: 10_000 });
  } else {
    const said = reply.content.status === 'error' ? `${reply.content.ename}: ${reply.content.evalue}` : '';
    const message = trans.__('%1: the restore code failed. %2', path, said || trans.__('It was interrupted.'));
    Notification.update({ id, message, type: 'error', autoClose: false });
  }
}

function shortened(printed: string[], most = 200): string {
  const text = printed.join('').trim();
  return text.length > most ? `… ${text.slice(-most)}` : text;
}
