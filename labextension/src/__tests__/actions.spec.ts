import { Notification, showDialog } from '@jupyterlab/apputils';
import { cancel, continueAnew, open, remove, restart } from '../actions';
import { IContext } from '../context';
import { INotebook } from '../notebooks';
import { IJob } from '../types';
import { job, trans } from './samples';

jest.mock('@jupyterlab/apputils', () => ({
  Dialog: { cancelButton: jest.fn(), warnButton: jest.fn() },
  Notification: { emit: jest.fn(() => 'n'), error: jest.fn(), update: jest.fn(), dismiss: jest.fn() },
  showDialog: jest.fn(async () => ({ button: { accept: true } }))
}));

const notebook = (path: string, kernel: string) => ({
  path,
  widget: { id: path },
  model: { getMetadata: (): unknown => undefined },
  session: {
    session: { kernel: { id: kernel, requestExecute: jest.fn() } },
    changeKernel: jest.fn(async () => undefined)
  }
});

const other = notebook('other.ipynb', 'another');

function contextOf(notebooks: ReturnType<typeof notebook>[], now?: IJob) {
  const all = notebooks as unknown as INotebook[];
  const api = { keep: jest.fn(async () => ({ name: 'hpcctr-1' })), remove: jest.fn(async () => undefined) };
  const specs = { kernelspecs: { 'hpcctr-0': {} } };
  const kernelspecs = { specs, refreshSpecs: jest.fn(async () => undefined) };
  const ofKernel = (id: string) => all.find(each => each.session.session?.kernel?.id === id);
  const context = {
    trans,
    api,
    jobs: { get: () => now, refresh: jest.fn(async () => undefined) },
    notebooks: { all, current: all[0], ofKernel },
    app: {
      commands: { execute: jest.fn(async () => undefined) },
      shell: { activateById: jest.fn() },
      serviceManager: { kernelspecs, kernels: { running: () => [] } }
    },
    state: { save: jest.fn(async () => Promise.reject(new Error('no disk'))) }
  };
  return { context: context as unknown as IContext, api, execute: context.app.commands.execute };
}

afterEach(() => jest.clearAllMocks());

describe('continuing in a new job', () => {
  it('starts the kernel’s own kernelspec, with what only that knows', async () => {
    const own = notebook('pi.ipynb', 'k');
    const { context, api } = contextOf([other, own]);
    await continueAnew(context, job());
    expect(own.session.changeKernel).toHaveBeenCalledWith({ name: 'hpcctr-0' });
    expect(api.keep).not.toHaveBeenCalled();
    expect(Notification.error).not.toHaveBeenCalled();
  });

  it('keeps the request where its kernelspec is gone', async () => {
    const own = notebook('pi.ipynb', 'k');
    const { context, api } = contextOf([own]);
    await continueAnew(context, job({ kernel_name: 'hpcctr-9' }));
    expect(api.keep).toHaveBeenCalledWith(job().request);
    expect(own.session.changeKernel).toHaveBeenCalledWith({ name: 'hpcctr-1' });
  });

  it('is what a restart comes to where the kernel is gone', async () => {
    const own = notebook('pi.ipynb', 'python');
    await restart(contextOf([own]).context, job({ state: 'ended' }));
    expect(showDialog).toHaveBeenCalledTimes(1);
    expect(own.session.changeKernel).toHaveBeenCalledWith({ name: 'hpcctr-0' });
  });

  it('runs the restore code first, which the question has shown, and tells of its error', async () => {
    const own = notebook('pi.ipynb', 'k');
    own.model.getMetadata = () => ({ restore: 'load()' });
    const { requestExecute } = own.session.session.kernel;
    const content = { status: 'error', ename: 'OSError', evalue: 'no file' };
    requestExecute.mockReturnValue({ done: Promise.resolve({ content }) });
    await continueAnew(contextOf([own]).context, job());
    expect(JSON.stringify((showDialog as jest.Mock).mock.calls[0][0].body)).toContain('load()');
    await new Promise(resolve => setTimeout(resolve));
    expect(requestExecute.mock.calls[0][0].code).toBe('load()');
    const [update] = (Notification.update as jest.Mock).mock.calls.map(each => each[0]);
    expect(update).toMatchObject({ type: 'error', message: 'pi.ipynb: the restore code failed. OSError: no file' });
  });

  it('never takes the kernel of another notebook', async () => {
    for (const path of [null, 'pi.ipynb']) {
      await continueAnew(contextOf([other]).context, job({ notebook: path }));
    }
    expect(other.session.changeKernel).not.toHaveBeenCalled();
    expect(Notification.error).toHaveBeenCalledTimes(2);
  });
});

describe('what ends or removes', () => {
  it('looks once more at what the job has become', async () => {
    const ended = contextOf([], job({ state: 'ended' }));
    await cancel(ended.context, job());
    expect(showDialog).toHaveBeenCalled();
    expect(ended.api.remove).not.toHaveBeenCalled();
    const again = contextOf([], job({ state: 'running' }));
    await remove(again.context, job({ state: 'ended' }));
    expect(again.api.remove).not.toHaveBeenCalled();
  });

  it('tells of a notebook that cannot be opened', async () => {
    const { context, execute } = contextOf([]);
    execute.mockRejectedValueOnce(new Error('no such file') as never);
    await open(context, job());
    expect(Notification.error).toHaveBeenCalledWith('no such file');
  });
});
