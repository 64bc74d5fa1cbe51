import { IContext } from '../context';
import { startOnce } from '../keeping';
import { INotebook } from '../notebooks';
import { noteOf } from '../notes';
import { job } from './samples';

function opened(running: string[], note: unknown = noteOf(job())) {
  let connect = (): void => undefined;
  const begin = jest.fn(async () => false);
  const session = {
    session: null as object | null,
    ready: new Promise<void>(resolve => {
      connect = () => {
        session.session = { kernel: {} };
        resolve();
      };
    }),
    startKernel: begin
  };
  const sessions = {
    refreshRunning: jest.fn(async () => undefined),
    running: () => running.map(path => ({ path }))
  };
  const context = { app: { serviceManager: { sessions } } } as unknown as IContext;
  const notebook = { session, model: { getMetadata: () => note }, path: 'pi.ipynb' } as unknown as INotebook;
  startOnce(context, notebook);
  return { session, begin, connect };
}

describe('a notebook of ours', () => {
  it('waits for the kernel that runs for it, and starts no other', async () => {
    const { session, begin, connect } = opened(['pi.ipynb']);
    const started = session.startKernel();
    connect();
    expect(await started).toBe(false);
    expect(begin).not.toHaveBeenCalled();
  });

  it('starts one where there is none, and not two at once', async () => {
    const { session, begin } = opened(['other.ipynb']);
    await Promise.all([session.startKernel(), session.startKernel()]);
    expect(begin).toHaveBeenCalledTimes(1);
    await session.startKernel();
    expect(begin).toHaveBeenCalledTimes(2);
  });

  it('is the only kind that is held back', async () => {
    const { session, begin } = opened(['pi.ipynb'], null);
    await session.startKernel();
    expect(begin).toHaveBeenCalledTimes(1);
  });
});
