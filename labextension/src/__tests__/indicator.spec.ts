import { Signal } from '@lumino/signaling';
import { IContext } from '../context';
import { displayed, followJobs } from '../indicator';
import { IJob } from '../types';
import { job } from './samples';

describe('the kernel indicator', () => {
  it('is the kernel’s own while its job runs, and where there is no job', () => {
    for (const own of ['idle', 'busy', 'restarting', 'dead'] as const) {
      expect(displayed(own, job({ state: 'running' }))).toBe(own);
      expect(displayed(own, undefined)).toBe(own);
    }
  });

  it('is neither idle nor busy while a job waits, and after it has ended', () => {
    for (const own of ['idle', 'busy', 'starting'] as const) {
      for (const state of ['fetching', 'submitting', 'pending', 'starting'] as const) {
        expect(displayed(own, job({ state }))).toBe('starting');
      }
      expect(displayed(own, job({ state: 'ended' }))).toBe('disconnected');
      expect(displayed(own, job({ state: 'running', owner: 'another' }))).toBe('disconnected');
    }
    expect(displayed('restarting', job({ state: 'ended' }))).toBe('restarting');
    expect(displayed('connecting', job())).toBe('connecting');
  });

  it('looks again when the job has changed, once', () => {
    class Session {
      readonly session = { kernel: { id: 'k', connectionStatus: 'connected' } };
      readonly connectionStatusChanged = new Signal<Session, string>(this);
      get kernelDisplayStatus() {
        return 'idle';
      }
    }
    const owner = {};
    const added = new Signal<object, object>(owner);
    const changed = new Signal<object, void>(owner);
    const session = new Session();
    let now: IJob | undefined = job();
    const jobs = { changed, ofKernel: (id: string) => (id === 'k' ? now : undefined) };
    followJobs({ jobs, notebooks: { added, all: [{ session }] } } as unknown as IContext);
    const seen: string[] = [];
    session.connectionStatusChanged.connect(each => seen.push(each.kernelDisplayStatus));
    added.emit({ session });
    for (const state of ['pending', 'starting', 'running', 'running', 'ended'] as const) {
      now = job({ state });
      changed.emit();
    }
    expect(seen).toEqual(['starting', 'idle', 'disconnected']);
  });
});
