/** An execution whose page was closed or reloaded, in the place of what JupyterLab has for one that it began itself. */
import { KernelMessage } from '@jupyterlab/services';

type Take = (message: KernelMessage.IIOPubMessage) => PromiseLike<void> | void;

/** What is used of JupyterLab's future of a cell. */
export interface IFuture {
  msg: { header: { msg_id: string } };
  done: Promise<unknown>;
  isDisposed: boolean;
  onIOPub: Take;
  registerMessageHook(hook: (message: KernelMessage.IIOPubMessage) => boolean): void;
  /** Handles a message as if the kernel had just sent it; JupyterLab's own futures have it. */
  handleMsg?(message: KernelMessage.IMessage): Promise<void>;
}

/**
 * Stands for JupyterLab's future of a cell in the cell's output area.
 *
 * The area handles its messages as those of any other future, and disposes it when the cell is run again.
 */
export class Orphan implements IFuture {
  constructor(msgId: string) {
    this.msg = { header: { msg_id: msgId } };
  }

  readonly msg: { header: { msg_id: string } };

  // Set by the output area.
  onIOPub: Take = () => undefined;
  onReply: (message: KernelMessage.IExecuteReplyMsg) => unknown = () => undefined;
  onStdin: (message: unknown) => unknown = () => undefined;

  isDisposed = false;

  /** Tell that nothing more will come. */
  end: (reply: unknown) => void = () => undefined;

  readonly done = new Promise<unknown>(resolve => (this.end = resolve));

  registerMessageHook(): void {
    // Nobody else gives it messages.
  }

  removeMessageHook(): void {
    // As above.
  }

  sendInputReply(): void {
    // The kernel asks the page that began the execution, which is gone.
  }

  dispose(): void {
    this.isDisposed = true;
    this.onIOPub = this.onReply = this.onStdin = () => undefined;
  }
}
