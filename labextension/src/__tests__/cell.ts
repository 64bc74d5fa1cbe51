import { KernelMessage } from '@jupyterlab/services';
import { ICodeCell } from '../notebooks';
import { IFuture, Orphan } from '../orphan';

type Output = { [key: string]: unknown };

/** A code cell with as much of an output area as is needed: streams that are joined, and what clears them. */
export class Cell implements ICodeCell {
  constructor(id: string, outputs: Output[] = []) {
    this.outputs = outputs;
    this.model.id = id;
  }

  isDisposed = false;
  source = 'print()';
  outputs: Output[];
  model: ICodeCell['model'] = {
    id: '',
    type: 'code',
    trusted: false,
    executionCount: null,
    executionState: 'idle',
    sharedModel: { getSource: () => this.source },
    outputs: { toJSON: () => this.outputs, fromJSON: outputs => (this.outputs = outputs) }
  };

  outputArea = {
    own: null as IFuture | null,
    take: (message: KernelMessage.IIOPubMessage) => this.take(message),
    get future(): IFuture | null {
      return this.own;
    },
    set future(future: IFuture | null) {
      (this.own as Orphan | null)?.dispose();
      this.own = future;
      future!.onIOPub = message => this.take(message);
    }
  };

  get text(): string {
    return this.outputs.map(each => each.text ?? each.evalue).join('');
  }

  private take({ header, content }: KernelMessage.IIOPubMessage): void {
    const type = header.msg_type as string;
    if (type === 'clear_output') {
      this.outputs = [];
    } else if (type === 'stream' || type === 'error') {
      this.outputs = [...this.outputs, { output_type: type, ...(content as object) }];
    }
  }
}
