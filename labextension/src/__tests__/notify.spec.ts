import { Notification } from '@jupyterlab/apputils';
import { Signal } from '@lumino/signaling';
import { IContext } from '../context';
import { Notifier } from '../notify';
import { ICheckpoint, IJob } from '../types';
import { job, trans } from './samples';

jest.mock('@jupyterlab/apputils', () => ({
  Notification: {
    emit: jest.fn(() => 'n'),
    warning: jest.fn(() => 'w'),
    success: jest.fn(),
    error: jest.fn(),
    update: jest.fn(),
    dismiss: jest.fn()
  }
}));

const now = Date.parse('2026-03-02T10:00:00Z');
const owner = {};

function notifier(...all: IJob[]): { say: (...all: IJob[]) => void } {
  const changed = new Signal<object, void>(owner);
  const jobs = { own: all, changed, now: () => now, get: (id: string) => jobs.own.find(each => each.id === id) };
  const notebooks = { changed: new Signal<object, void>(owner), ofKernel: () => ({}) };
  const settings = { warnMinutes: [5], notifyAfterSeconds: 5 };
  const said = new Notifier({ jobs, notebooks, settings, trans } as unknown as IContext);
  said.look();
  return {
    say: (...all) => {
      jobs.own = all;
      changed.emit();
    }
  };
}

afterEach(() => jest.clearAllMocks());

describe('what is told of jobs', () => {
  it('names the notebook whose job ends', () => {
    notifier(job({ state: 'running', ends: '2026-03-02T10:04:30Z', notebook: 'work/pi.ipynb' }));
    const said = (Notification.warning as jest.Mock).mock.calls.map(each => each[0]);
    expect(said).toEqual(['Job 12 of work/pi.ipynb ends in 5 minutes. It has no checkpoint.']);
  });

  it('says when the checkpoint runs, and then what became of it', () => {
    const registered: ICheckpoint = {
      state: 'registered',
      runs: '2026-03-02T10:02:00Z',
      before_s: 150,
      at: null,
      error: '',
      restore: null
    };
    const ending = (changes: Partial<ICheckpoint>) =>
      job({ state: 'running', ends: '2026-03-02T10:04:30Z', checkpoint: { ...registered, ...changes } });
    const { say } = notifier(ending({}));
    const [warning] = (Notification.warning as jest.Mock).mock.calls.map(each => each[0]);
    expect(warning).toMatch(/^Job 12 of pi.ipynb ends in 5 minutes. Its checkpoint runs at .*\d\d:\d\d/);
    const updated = () => (Notification.update as jest.Mock).mock.lastCall[0].message;
    say(ending({ state: 'running', runs: null }));
    expect(updated()).toMatch('Its checkpoint is running.');
    say(ending({ state: 'done', runs: null, at: '2026-03-02T10:02:03Z' }));
    expect(updated()).toMatch(/Its checkpoint ran at .*\d\d:\d\d/);
    expect((Notification.success as jest.Mock).mock.calls.map(each => each[0])).toEqual([
      'The checkpoint of job 12 of pi.ipynb has run.'
    ]);
  });

  it('tells once of a checkpoint that failed, and not of what was before the page was opened', () => {
    const failed: ICheckpoint = {
      state: 'failed',
      runs: null,
      before_s: 300,
      at: '2026-03-02T09:59:00Z',
      error: 'OSError: no space',
      restore: null
    };
    const { say } = notifier(job({ state: 'running', checkpoint: { ...failed, state: 'running' } }));
    say(job({ state: 'running', checkpoint: failed }));
    say(job({ state: 'running', checkpoint: failed, nodes: 'n1' }));
    expect((Notification.error as jest.Mock).mock.calls.map(each => each[0])).toEqual([
      'The checkpoint of job 12 of pi.ipynb failed: OSError: no space'
    ]);
    notifier(job({ state: 'running', checkpoint: failed }));
    expect(Notification.error).toHaveBeenCalledTimes(1);
  });

  it('names the notebook that waits, and for what', () => {
    const { say } = notifier(job({ reason: 'Resources' }));
    expect((Notification.emit as jest.Mock).mock.calls[0][0]).toBe('pi.ipynb: Pending (Resources)');
    say(job({ state: 'running', nodes: 'n1' }));
    const [update] = (Notification.update as jest.Mock).mock.calls.map(each => each[0].message);
    expect(update).toBe('Job 12 of pi.ipynb runs on n1');
  });
});
