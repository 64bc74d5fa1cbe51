/** A cell's outputs as the server has them, on the page. */
import { KernelMessage } from '@jupyterlab/services';
import { JSONExt, ReadonlyPartialJSONValue } from '@lumino/coreutils';
import { ICodeCell } from './notebooks';
import { IFuture, Orphan } from './orphan';
import { ICellOutputs } from './types';

export type Message = KernelMessage.IIOPubMessage;

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

/** Give an output area all that the server has, and what came to the page while it was asked. */
export function refill(future: IFuture, shown: ICellOutputs, known: Set<string>, came: Message[]): void {
  void future.onIOPub(CLEAR);
  shown.outputs.forEach((each, at) => void future.onIOPub(asMessage(each, shown.displays[at])));
  came.filter(each => !known.has(each.header.msg_id)).forEach(each => void future.onIOPub(each));
}

/** Have a cell say that its execution has ended, and let whoever waits for that go on, as "Run All Cells" does. */
export async function finish(cell: ICodeCell, shown: ICellOutputs): Promise<void> {
  const { future } = cell.outputArea;
  if (future?.handleMsg && !future.isDisposed) {
    const own = { msg_id: shown.msg_id };
    const idle = { header: { msg_type: 'status' }, parent_header: own, content: { execution_state: 'idle' } };
    if (shown.reply) {
      await future.handleMsg({ ...shown.reply, channel: 'shell' } as unknown as KernelMessage.IMessage);
    }
    await future.handleMsg({ ...idle, channel: 'iopub' } as unknown as KernelMessage.IMessage);
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
