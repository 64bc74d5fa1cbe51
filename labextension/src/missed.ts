/** What the cells of a notebook have put out while its page was closed, reloaded, or without a connection. */
import { KernelMessage } from '@jupyterlab/services';
import { IContext } from './context';
import { Failure } from './failure';
import { Heard } from './heard';
import { ICodeCell, INotebook } from './notebooks';
import { Orphan } from './orphan';
import { finish, isShown, Message, refill } from './outputs';
import { ICell, ICellOutputs } from './types';

/** What was published before the server's connection to the kernel was there is found at the second look. */
const AGAIN_MS = 3000;
const MOST_MS = 60_000;
const TRIES = 5;
/** The clocks of file server and server may differ. */
const CLOCKS_MS = 10_000;

/** Have each notebook catch up with its kernel whenever a connection is there (again). */
export function catchUp(context: IContext): void {
  context.notebooks.added.connect((_, notebook) => new Missed(context, notebook));
}

/** One notebook's cells: asks the server what they have put out, and follows those that still run. */
export class Missed {
  constructor(
    private context: IContext,
    private notebook: INotebook
  ) {
    const { session, widget, ready } = notebook;
    void ready.then(() => (this.saved = Date.parse(notebook.saved ?? '') || 0)).catch(() => undefined);
    session.iopubMessage.connect(this.onMessage, this);
    session.connectionStatusChanged.connect(this.onConnection, this);
    session.kernelChanged.connect(this.onConnection, this);
    context.jobs.changed.connect(this.onJobs, this);
    widget.disposed.connect(() => {
      this.isDisposed = true;
      clearTimeout(this.timer);
      session.iopubMessage.disconnect(this.onMessage, this);
      session.connectionStatusChanged.disconnect(this.onConnection, this);
      session.kernelChanged.disconnect(this.onConnection, this);
      context.jobs.changed.disconnect(this.onJobs, this);
    });
  }

  /** Ask what there is, and let each cell catch up; one look at a time. */
  async look(): Promise<void> {
    this.asked = true;
    if (this.looking) {
      return;
    }
    this.looking = true;
    try {
      while (this.asked && !this.isDisposed) {
        this.asked = false;
        await this.lookOnce();
      }
      this.wait = AGAIN_MS;
    } catch (error) {
      if (error instanceof Failure && error.status === 404) {
        this.looked = this.kernel; // it has just been shut down
      } else {
        this.wait = Math.min(this.wait * 2, MOST_MS);
        this.later();
      }
    } finally {
      this.looking = false;
    }
  }

  private async lookOnce(): Promise<void> {
    await this.notebook.ready;
    const kernel = this.kernel;
    if (kernel === null) {
      return;
    }
    const isFirst = this.looked === null;
    const cells = this.notebook.cells;
    const sources = new Map(cells.map(cell => [cell, cell.model.sharedModel.getSource()]));
    const listed = new Map((await this.context.api.cells(kernel)).cells.map(each => [each.cell, each]));
    for (const cell of cells) {
      const last = listed.get(cell.model.id);
      if (last && !cell.isDisposed && this.isMissed(cell, last, isFirst)) {
        const isEdited = () => sources.get(cell) !== cell.model.sharedModel.getSource();
        const shown = await this.fill(kernel, cell, last.msg_id, isEdited);
        if (shown?.state === 'ended') {
          await this.end(cell, shown);
        }
      }
    }
    this.looked = kernel;
  }

  /** Whether a cell may lack something of its last execution. */
  private isMissed(cell: ICodeCell, last: ICell, isFirst: boolean): boolean {
    const future = cell.outputArea.future;
    if (future) {
      return future.msg.header.msg_id === last.msg_id && !this.heard.isWhole(last.msg_id);
    }
    return isFirst && (last.state === 'running' || Date.parse(last.changed) > this.saved - CLOCKS_MS);
  }

  /** Give a cell what its execution has put out, and have it go on from there; null where that is not for it. */
  private async fill(
    kernel: string,
    cell: ICodeCell,
    id: string,
    isEdited: () => boolean
  ): Promise<ICellOutputs | null> {
    const future = cell.outputArea.future;
    const came: Message[] = [];
    this.coming.set(id, came);
    const shown = await this.context.api.cell(kernel, cell.model.id).finally(() => this.coming.delete(id));
    const isOther = cell.isDisposed || cell.outputArea.future !== future || shown.msg_id !== id;
    if (isOther || this.kernel !== kernel || isEdited()) {
      return null;
    }
    this.heard.mend(id);
    const ids = this.heard.of(id);
    if (!future || future.isDisposed || shown.recent.some(each => !ids.has(each))) {
      this.replace(cell, shown, came);
    }
    shown.recent.forEach(each => ids.add(each));
    return shown;
  }

  private replace(cell: ICodeCell, shown: ICellOutputs, came: Message[]): void {
    const known = new Set(shown.recent);
    let future = cell.outputArea.future;
    cell.model.trusted = true; // as when it is run: all that is shown comes from the kernel
    if (!future || future.isDisposed) {
      if (shown.state === 'ended') {
        if (!isShown(cell, shown)) {
          cell.model.outputs.fromJSON(shown.outputs);
        }
        return;
      }
      future = cell.outputArea.future = new Orphan(shown.msg_id);
      cell.model.executionState = 'running';
    }
    if (future instanceof Orphan) {
      this.orphans.set(shown.msg_id, { cell, future });
    } else {
      future.registerMessageHook(message => !known.has(message.header.msg_id));
    }
    refill(future, shown, known, came);
  }

  private end(cell: ICodeCell, shown: ICellOutputs): Promise<void> {
    this.heard.end(shown.msg_id);
    this.orphans.delete(shown.msg_id);
    return finish(cell, shown);
  }

  // -- what comes by itself

  private onMessage(_: unknown, published: KernelMessage.IMessage): void {
    const message = published as Message;
    const parent = message.parent_header as Partial<KernelMessage.IHeader>;
    const id = parent.msg_id;
    if (!id || (parent.msg_type as string) !== 'execute_request') {
      return;
    }
    const type = message.header.msg_type as string;
    const orphan = this.orphans.get(id);
    const isNew = this.heard.add(id, message.header.msg_id);
    this.coming.get(id)?.push(message);
    if (isNew) {
      void orphan?.future.onIOPub(message);
    }
    if (type === 'update_display_data') {
      this.orphans.forEach(each => each !== orphan && void each.future.onIOPub(message));
    }
    if (type === 'status' && (message.content as { execution_state: string }).execution_state === 'idle') {
      if (orphan) {
        void this.onEnd(id, orphan.cell);
      } else if (this.coming.has(id)) {
        this.later(); // perhaps the answer that is awaited does not know it yet
      } else {
        this.heard.end(id);
      }
    }
  }

  /** An execution that another page began has ended: its reply is known to the server alone. */
  private async onEnd(id: string, cell: ICodeCell): Promise<void> {
    for (let tries = 1; tries <= TRIES && this.orphans.get(id)?.cell === cell; tries++) {
      const kernel = this.kernel;
      if (kernel === null || cell.outputArea?.future?.msg.header.msg_id !== id) {
        break;
      }
      const shown = await this.fill(kernel, cell, id, () => false).catch(() => null);
      // The reply takes another way than what is published, and may be the later of both.
      if (shown?.state === 'ended' && (shown.reply || tries === TRIES)) {
        await this.end(cell, shown);
      } else {
        await new Promise(resolve => setTimeout(resolve, AGAIN_MS / TRIES));
      }
    }
    this.orphans.delete(id);
  }

  // The signal also says what is no change (indicator.ts).
  private onConnection(): void {
    const kernel = this.notebook.session.session?.kernel;
    const connected = kernel?.connectionStatus === 'connected' ? kernel : null;
    if (connected !== this.connected) {
      this.connected = connected;
      for (const { outputArea } of this.notebook.cells) {
        if (outputArea.future) {
          this.heard.lose(outputArea.future.msg.header.msg_id);
        }
      }
      this.begin();
    }
  }

  private onJobs(): void {
    if (this.kernel !== null && this.looked !== this.kernel) {
      this.begin();
    }
  }

  private begin(): void {
    if (this.kernel !== null) {
      void this.look();
      this.later();
    }
  }

  private later(): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.look(), this.wait);
  }

  /** The id of the notebook's kernel, if that is one of ours and there is a connection to it. */
  private get kernel(): string | null {
    const kernel = this.notebook.session.session?.kernel;
    const isThere = kernel?.connectionStatus === 'connected' && this.context.jobs.ofKernel(kernel.id);
    return isThere ? kernel.id : null;
  }

  private isDisposed = false;
  private asked = false;
  private looking = false;
  private looked: string | null = null;
  private connected: object | null = null;
  private timer = 0;
  private wait = AGAIN_MS;
  private saved = 0;
  private heard = new Heard();
  private coming = new Map<string, Message[]>();
  private orphans = new Map<string, { cell: ICodeCell; future: Orphan }>();
}
