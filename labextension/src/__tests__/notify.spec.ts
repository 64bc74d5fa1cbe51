import { Notification } from '@jupyterlab/apputils';
import { Signal } from '@lumino/signaling';
import { IContext } from '../context';
import { Notifier } from '../notify';
import { IJob } from '../types';
import { job, trans } from './samples';

jest.mock('@jupyterlab/apputils', () => ({
  Notification: { emit: jest.fn(() => 'n'), warning: jest.fn(() => 'w'), update: jest.fn(), dismiss: jest.fn() }
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
    expect(said).toEqual(['Job 12 of work/pi.ipynb ends in 5 minutes']);
  });

  it('names the notebook that waits, and for what', () => {
    const { say } = notifier(job({ reason: 'Resources' }));
    expect((Notification.emit as jest.Mock).mock.calls[0][0]).toBe('pi.ipynb: Pending (Resources)');
    say(job({ state: 'running', nodes: 'n1' }));
    const [update] = (Notification.update as jest.Mock).mock.calls.map(each => each[0].message);
    expect(update).toBe('Job 12 of pi.ipynb runs on n1');
  });
});
