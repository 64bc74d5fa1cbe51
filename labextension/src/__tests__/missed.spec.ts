import { KernelMessage } from '@jupyterlab/services';
import { KernelShellFutureHandler } from '@jupyterlab/services/lib/kernel/future';
import { Signal } from '@lumino/signaling';
import { IContext } from '../context';
import { Failure } from '../failure';
import { Missed } from '../missed';
import { INotebook } from '../notebooks';
import { IFuture } from '../orphan';
import { ICellOutputs } from '../types';
import { Cell } from './cell';
import { until } from './until';

let numbers = 0;

function message(parent: string, type: string, content: object, id = `n${numbers++}`): KernelMessage.IIOPubMessage {
  const header = { msg_id: id, msg_type: type };
  return { channel: 'iopub', header, parent_header: { msg_id: parent, msg_type: 'execute_request' }, content } as never;
}

const line = (parent: string, text: string, id?: string) => message(parent, 'stream', { name: 'stdout', text }, id);
const idle = (parent: string) => message(parent, 'status', { execution_state: 'idle' });

function shown(text: string, recent: string[], more: Partial<ICellOutputs> = {}): ICellOutputs {
  return {
    cell: 'c1',
    msg_id: 'm1',
    state: 'running',
    status: '',
    started: null,
    ended: null,
    changed: '2026-03-02T10:00:00+00:00',
    execution_count: null,
    bytes: 1,
    missing_bytes: 0,
    outputs: [{ output_type: 'stream', name: 'stdout', text }],
    displays: [null],
    recent,
    reply: null,
    ...more
  };
}

const ENDED: Partial<ICellOutputs> = {
  state: 'ended',
  status: 'ok',
  execution_count: 7,
  reply: {
    header: { msg_id: 'r', msg_type: 'execute_reply' },
    parent_header: { msg_id: 'm1' },
    content: { status: 'ok', execution_count: 7 }
  }
};

/** A notebook whose kernel's server knows what `said` holds. */
function page(said: ICellOutputs, cell = new Cell('c1'), saved = '2026-03-02T09:00:00Z') {
  const kernel = { id: 'k', connectionStatus: 'connected' };
  const owner = {};
  const session = {
    session: { kernel },
    iopubMessage: new Signal<object, unknown>(owner),
    connectionStatusChanged: new Signal<object, unknown>(owner),
    kernelChanged: new Signal<object, unknown>(owner)
  };
  const widget = { disposed: new Signal<object, void>(owner) };
  const server = { said, asks: 0, before: (): void => undefined };
  const jobs = { changed: new Signal<object, void>(owner), ofKernel: (id: string) => (id === 'k' ? {} : undefined) };
  const api = {
    cells: jest.fn(async () => ({ cells: [server.said] })),
    cell: jest.fn(async () => {
      const answer = server.said;
      server.before();
      server.asks++;
      return answer;
    })
  };
  const notebook = { session, widget, cells: [cell], saved, ready: Promise.resolve() } as unknown as INotebook;
  const missed = new Missed({ api, jobs } as unknown as IContext, notebook);
  const come = (each: KernelMessage.IIOPubMessage) => session.iopubMessage.emit(each);
  return { missed, cell, server, api, come, session, widget };
}

type Future = KernelShellFutureHandler<KernelMessage.IExecuteRequestMsg, KernelMessage.IExecuteReplyMsg>;

/** JupyterLab's own future of a cell that this page has run. */
function run(cell: Cell, id = 'm1'): Future {
  const request = { channel: 'shell', header: { msg_id: id, msg_type: 'execute_request' } } as never;
  const future: Future = new KernelShellFutureHandler(() => undefined, request, true, false, {} as never);
  cell.outputArea.future = future as unknown as IFuture;
  cell.model.executionState = 'running';
  return future;
}

describe('a page that is opened while its cells run', () => {
  it('shows what there is and goes on, with nothing lost and nothing twice', async () => {
    const { missed, cell, server, come } = page(shown('1 2 ', ['a', 'b']));
    server.before = () => {
      come(line('m1', '2 ', 'b')); // it is in the answer already
      come(line('m1', '3 ', 'c'));
    };
    await missed.look();
    expect([cell.text, cell.model.executionState, cell.model.trusted]).toEqual(['1 2 3 ', 'running', true]);
    come(line('m1', '4 '));
    come(line('other', 'x'));
    expect(cell.text).toBe('1 2 3 4 ');
  });

  it('shows the end, and the count that only the server knows', async () => {
    const { missed, cell, server, come } = page(shown('1 ', ['a']));
    await missed.look();
    come(line('m1', '2 ', 'b'));
    const last = idle('m1');
    server.said = shown('1 2 ', ['a', 'b', last.header.msg_id], ENDED);
    come(last);
    await until(() => cell.model.executionCount === 7);
    expect([cell.text, cell.model.executionState]).toEqual(['1 2 ', 'idle']);
  });

  it('hears of an end that comes before the answer', async () => {
    jest.useFakeTimers();
    const { missed, cell, server, come } = page(shown('1 ', ['a']));
    const last = idle('m1');
    server.before = () => come(last);
    await missed.look();
    expect(cell.model.executionState).toBe('running');
    server.before = () => undefined;
    server.said = shown('1 2 ', ['a', 'b', last.header.msg_id], ENDED);
    await jest.runAllTimersAsync();
    jest.useRealTimers();
    expect([cell.text, cell.model.executionCount, cell.model.executionState]).toEqual(['1 2 ', 7, 'idle']);
  });

  it('finds at the end what never came', async () => {
    const { missed, cell, server, come } = page(shown('1 ', ['a']));
    await missed.look();
    const last = idle('m1');
    server.said = shown('1 2 3 ', ['a', 'b', 'c', last.header.msg_id], ENDED);
    come(last);
    await until(() => cell.model.executionCount === 7);
    expect(cell.text).toBe('1 2 3 ');
  });

  it('leaves a cell alone that is run again or edited meanwhile', async () => {
    for (const change of [(cell: Cell) => void run(cell, 'm2'), (cell: Cell) => void (cell.source = 'other')]) {
      const { missed, cell, server } = page(shown('1 ', ['a']), new Cell('c1', [{ text: 'mine' }]));
      server.before = () => change(cell);
      await missed.look();
      expect(cell.text).toBe('mine');
    }
  });

  it('stops following when the cell is run again', async () => {
    const { missed, cell, come } = page(shown('1 ', ['a']));
    await missed.look();
    run(cell, 'm2');
    come(line('m1', 'late'));
    expect(cell.text).toBe('1 ');
  });
});

describe('a page that is opened after its cells have ended', () => {
  it('shows what came after it was saved', async () => {
    const { missed, cell } = page(shown('all', ['a'], ENDED));
    await missed.look();
    expect([cell.text, cell.model.executionCount, cell.model.executionState]).toEqual(['all', 7, 'idle']);
  });

  it('keeps what was saved later', async () => {
    const { missed, cell, api } = page(shown('all', ['a'], ENDED), new Cell('c1'), '2026-03-02T11:00:00Z');
    await missed.look();
    expect([cell.text, cell.model.executionCount]).toEqual(['', null]);
    expect(api.cell).not.toHaveBeenCalled();
  });

  it('does not touch what is there already', async () => {
    const outputs = [{ output_type: 'stream', name: 'stdout', text: ['a', 'll'] }];
    const { missed, cell } = page(shown('all', ['a'], ENDED), new Cell('c1', outputs));
    await missed.look();
    expect(cell.outputs).toBe(outputs);
  });

  it('does not bring back what was cleared since', async () => {
    const { missed, cell } = page(shown('all', ['a'], ENDED));
    await missed.look();
    cell.outputs = [];
    await missed.look();
    expect(cell.text).toBe('');
  });
});

describe('a page whose connection comes back', () => {
  it('has in the cell what it missed, and what JupyterLab still adds only once', async () => {
    const { missed, cell, server, come } = page(shown('', [], { cell: 'none' }));
    await missed.look();
    const future = run(cell);
    const deliver = async (each: KernelMessage.IIOPubMessage) => {
      await future.handleMsg(each);
      come(each);
    };
    await deliver(line('m1', '1 ', 'a'));
    server.said = shown('1 2 3 ', ['a', 'b', 'c']);
    await missed.look();
    expect(cell.text).toBe('1 2 3 ');
    await deliver(line('m1', '3 ', 'c'));
    await deliver(line('m1', '4 ', 'd'));
    expect(cell.text).toBe('1 2 3 4 ');
    expect(cell.outputArea.future).toBe(future);
  });

  it('lets go on who waits for a cell that has ended meanwhile', async () => {
    const { missed, cell, server } = page(shown('', [], { cell: 'none' }));
    await missed.look();
    const future = run(cell);
    server.said = shown('1 2 ', ['a', 'b'], ENDED);
    await missed.look();
    const reply = await future.done;
    expect([cell.text, reply.content.execution_count]).toEqual(['1 2 ', 7]);
  });

  it('has what it missed of a cell that ends as soon as it is back', async () => {
    const { missed, cell, server, come, session } = page(shown('', [], { cell: 'none' }));
    session.connectionStatusChanged.emit('connected');
    await missed.look();
    run(cell);
    session.session.kernel.connectionStatus = 'connecting';
    session.connectionStatusChanged.emit('connecting');
    const last = idle('m1');
    come(last);
    server.said = shown('1 2 ', ['a', 'b', last.header.msg_id], ENDED);
    session.session.kernel.connectionStatus = 'connected';
    session.connectionStatusChanged.emit('connected');
    await until(() => cell.text === '1 2 ');
    await missed.look();
    expect(server.asks).toBe(1);
  });

  it('does not touch a cell that lacks nothing', async () => {
    const { missed, cell, server, come } = page(shown('', [], { cell: 'none' }));
    await missed.look();
    run(cell);
    cell.outputs = [{ text: '1 ' }];
    come(line('m1', '1 ', 'a'));
    server.said = shown('1 ', ['a']);
    const { outputs } = cell;
    await missed.look();
    expect(cell.outputs).toBe(outputs);
    come(idle('m1'));
    await missed.look();
    expect(server.asks).toBe(1);
  });
});

describe('other kernels', () => {
  it('are not asked for', async () => {
    const { missed, api, session } = page(shown('1', ['a']));
    session.session.kernel.id = 'other';
    await missed.look();
    expect(api.cells).not.toHaveBeenCalled();
  });

  it('that have gone are asked for once', async () => {
    const { missed, api, widget } = page(shown('1', ['a']));
    api.cells.mockRejectedValue(new Failure('gone', 404));
    await missed.look();
    widget.disposed.emit();
    expect(api.cells).toHaveBeenCalledTimes(1);
  });
});
