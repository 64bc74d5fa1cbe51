/** What the cells of a notebook have put out while its page was closed, reloaded, or without a connection. */
import { KernelMessage } from '@jupyterlab/services';
import { JSONExt, ReadonlyPartialJSONValue } from '@lumino/coreutils';
import { IContext } from './context';
import { Failure } from './failure';
import { ICodeCell, INotebook } from './notebooks';
import { IFuture, Orphan } from './orphan';
import { ICell, ICellOutputs } from './types';

type Message = KernelMessage.IIOPubMessage;

/** Messages that were published before the server's connection to the kernel was there are found at the second look. */
const AGAIN_MS = 3000;
const MOST_MS = 60_000;
const TRIES = 5;
/** The clocks of file server and server may differ. */
const CLOCKS_MS = 10_000;
const MOST_IDS = 5000;

/** Have each notebook catch up with its kernel whenever a connection is there (again). */
export function catchUp(context: IContext): void {
  context.notebooks.added.connect((_, notebook) => new Missed(context, notebook));
}

/** Whether a cell's outputs are these already. */
export function isShown(cell: ICodeCell, shown: ICellOutputs): boolean {
  const text = (value: unknown) => (Array.isArray(value) ? value.join('') : value);
  const plain = (outputs: { [key: string]: unknown }[]) =>
    outputs.map(each => ('text' in each ? { ...each, text: text(each.text) } : each));
  const [there, wanted] = [plain(cell.model.outputs.toJSON()), plain(shown.outputs)] as ReadonlyPartialJSONValue[];
  return JSONExt.deepEqual(there, wanted);
}

/** The message by which an output area gets an output, with the id by which it is changed later. */
function asMessage(output: { [key: string]: unknown }, display: string | null): Message {
  const { output_type, ...content } = output;
  const transient = display === null ? {} : { transient: { display_id: display } };
  return { header: { msg_type: output_type }, content: { ...content, ...transient } } as unknown as Message;
}

const CLEAR = { header: { msg_type: 'clear_output' }, content: { wait: false } } as unknown as Message;

/** One notebook's cells: asks the server what they have put out, and follows those that still run. */
export class Missed {
  constructor(
    private context: IContext,
    private notebook: INotebook
  ) {
    const { session, widget } = notebook;
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
    const first = this.looked === null;
    const cells = this.notebook.cells;
    const sources = new Map(cells.map(cell => [cell, cell.model.sharedModel.getSource()]));
    const { cells: listed } = await this.context.api.cells(kernel);
    const known = new Map(listed.map(each => [each.cell, each]));
    for (const cell of cells) {
      const last = known.get(cell.model.id);
      if (last && !cell.isDisposed && this.isMissed(cell, last, first)) {
        await this.fill(kernel, cell, last.msg_id, () => sources.get(cell) === cell.model.sharedModel.getSource());
      }
    }
    this.looked = kernel;
  }

  /** Whether a cell may lack something of its last execution. */
  private isMissed(cell: ICodeCell, last: ICell, first: boolean): boolean {
    const future = cell.outputArea.future;
    if (future) {
      return future.msg.header.msg_id === last.msg_id && !this.ended.has(last.msg_id);
    }
    const saved = Date.parse(this.notebook.saved ?? '') || 0;
    return first && (last.state === 'running' || Date.parse(last.changed) > saved - CLOCKS_MS);
  }

  /** Give a cell what its execution has put out, and have it go on from there. */
  private async fill(
    kernel: string,
    cell: ICodeCell,
    id: string,
    isUntouched: () => boolean,
    isReplied = false
  ): Promise<void> {
    const future = cell.outputArea.future;
    const came: Message[] = [];
    this.coming.set(id, came);
    const shown = await this.context.api.cell(kernel, cell.model.id).finally(() => this.coming.delete(id));
    const isOther = cell.isDisposed || cell.outputArea.future !== future || shown.msg_id !== id;
    if (isOther || this.kernel !== kernel || !isUntouched()) {
      return;
    }
    const seen = this.idsOf(id);
    const known = new Set(shown.recent);
    const isLacking = !future || future.isDisposed || shown.recent.some(each => !seen.has(each));
    shown.recent.forEach(each => seen.add(each));
    if (isLacking) {
      this.replace(cell, future ?? null, shown, known, came);
    }
    if (shown.state === 'ended' && (shown.reply || !isReplied)) {
      await this.end(cell, shown);
    }
  }

  private replace(
    cell: ICodeCell,
    future: IFuture | null,
    shown: ICellOutputs,
    known: Set<string>,
    came: Message[]
  ): void {
    cell.model.trusted = true; // as when it is run: all that is shown comes from the kernel
    let target = future;
    if (!target || target.isDisposed) {
      if (shown.state === 'ended') {
        if (!isShown(cell, shown)) {
          cell.model.outputs.fromJSON(shown.outputs);
        }
        return;
      }
      target = cell.outputArea.future = new Orphan(shown.msg_id);
      cell.model.executionState = 'running';
    }
    if (target instanceof Orphan) {
      this.orphans.set(shown.msg_id, { cell, future: target });
    } else {
      target.registerMessageHook(message => !known.has(message.header.msg_id));
    }
    void target.onIOPub(CLEAR);
    shown.outputs.forEach((each, at) => void target.onIOPub(asMessage(each, shown.displays[at])));
    came.filter(each => !known.has(each.header.msg_id)).forEach(each => void target.onIOPub(each));
  }

  private async end(cell: ICodeCell, shown: ICellOutputs): Promise<void> {
    const { future } = cell.outputArea;
    this.ended.add(shown.msg_id);
    this.orphans.delete(shown.msg_id);
    this.seen.delete(shown.msg_id);
    if (future && !(future instanceof Orphan) && !future.isDisposed && future.handleMsg) {
      // Whoever waits for it, as "Run All Cells" does, goes on.
      if (shown.reply) {
        await future.handleMsg({ ...shown.reply, channel: 'shell' } as unknown as KernelMessage.IMessage);
      }
      await future.handleMsg({
        channel: 'iopub',
        header: { msg_type: 'status' },
        parent_header: { msg_id: shown.msg_id },
        content: { execution_state: 'idle' }
      } as unknown as KernelMessage.IMessage);
      return;
    }
    if (shown.execution_count !== cell.model.executionCount) {
      cell.model.executionCount = shown.execution_count;
    }
    cell.model.executionState = 'idle';
    if (future instanceof Orphan) {
      future.end(shown.reply ?? { content: { execution_count: shown.execution_count } });
    }
  }

  // -- what comes by itself

  private onMessage(_: unknown, published: KernelMessage.IMessage): void {
    const message = published as Message;
    const parent = message.parent_header as Partial<KernelMessage.IHeader>;
    const id = parent.msg_id;
    if (!id || (parent.msg_type as string) !== 'execute_request') {
      return;
    }
    const orphan = this.orphans.get(id);
    const seen = this.idsOf(id);
    const isNew = !seen.has(message.header.msg_id);
    seen.add(message.header.msg_id);
    this.coming.get(id)?.push(message);
    if (isNew) {
      void orphan?.future.onIOPub(message);
    }
    if (message.header.msg_type === 'update_display_data') {
      this.orphans.forEach(each => each !== orphan && void each.future.onIOPub(message));
    }
    if (message.header.msg_type === 'status' && (message.content as { execution_state: string }).execution_state === 'idle') {
      this.seen.delete(id);
      if (orphan) {
        void this.finish(id, orphan.cell, seen);
      } else {
        this.ended.add(id);
      }
    }
  }

  /** An execution without a page of its own has ended: its reply is known to the server alone. */
  private async finish(id: string, cell: ICodeCell, seen: Set<string>): Promise<void> {
    this.seen.set(id, seen);
    for (let tries = 0; tries < TRIES && this.orphans.get(id)?.cell === cell; tries++) {
      const kernel = this.kernel;
      if (kernel === null || cell.outputArea?.future?.msg.header.msg_id !== id) {
        break;
      }
      // The reply takes another way than what is published, and may be the later of both.
      await this.fill(kernel, cell, id, () => true, tries < TRIES - 1).catch(() => undefined);
      await new Promise(resolve => setTimeout(resolve, this.ended.has(id) ? 0 : AGAIN_MS / TRIES));
    }
    this.seen.delete(id);
    this.orphans.delete(id);
  }

  // The signal also says what is no change (indicator.ts).
  private onConnection(): void {
    const kernel = this.notebook.session.session?.kernel;
    const connected = kernel?.connectionStatus === 'connected' ? kernel : null;
    if (connected !== this.connected) {
      this.connected = connected;
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

  /** The ids of the newest messages of an execution that this page has had. */
  private idsOf(id: string): Set<string> {
    let found = this.seen.get(id);
    if (!found) {
      this.seen.set(id, (found = new Set()));
    }
    while (found.size > MOST_IDS) {
      found.delete(found.values().next().value as string);
    }
    return found;
  }

  private isDisposed = false;
  private asked = false;
  private looking = false;
  private looked: string | null = null;
  private connected: object | null = null;
  private timer = 0;
  private wait = AGAIN_MS;
  private ended = new Set<string>();
  private seen = new Map<string, Set<string>>();
  private coming = new Map<string, Message[]>();
  private orphans = new Map<string, { cell: ICodeCell; future: Orphan }>();
}
