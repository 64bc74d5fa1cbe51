import { EMPTY, ofKernel, sorted, withEvent, withSnapshot } from '../model';
import { job } from './samples';

const answer = (jobs: ReturnType<typeof job>[], seq: number) => ({ jobs, seq, now: '2026-03-02T10:00:10Z' });
const now = Date.parse('2026-03-02T10:00:00Z');

describe('the list of jobs', () => {
  it('takes a list, and knows how far ahead the server’s clock is', () => {
    const list = withSnapshot(EMPTY, answer([job()], 1), now);
    expect([...list.jobs.keys()]).toEqual(['a']);
    expect(list.ahead).toBe(10_000);
  });

  it('takes events in any order, and none twice', () => {
    const second = withEvent(EMPTY, job({ seq: 5, state: 'running' }));
    expect(withEvent(second, job({ seq: 4 }))).toBe(second);
    expect(withEvent(second, job({ seq: 5 }))).toBe(second);
    expect(withEvent(second, job({ seq: 6, state: 'ended' })).jobs.get('a')?.state).toBe('ended');
  });

  it('keeps what an event said after a list was made', () => {
    const list = withEvent(EMPTY, job({ seq: 9, state: 'running' }));
    expect(withSnapshot(list, answer([job({ seq: 3 })], 8), now).jobs.get('a')?.state).toBe('running');
    expect(withSnapshot(list, answer([], 8), now).jobs.size).toBe(1);
    expect(withSnapshot(list, answer([], 9), now).jobs.size).toBe(0);
  });

  it('does not bring back what is gone', () => {
    const gone = withEvent(withEvent(EMPTY, job({ seq: 1 })), job({ seq: 7, state: 'gone' }));
    expect(gone.jobs.size).toBe(0);
    expect(withSnapshot(gone, answer([job({ seq: 1 })], 6), now).jobs.size).toBe(0);
    expect(withEvent(gone, job({ seq: 6 })).jobs.size).toBe(0);
    expect(withEvent(gone, job({ seq: 8 })).jobs.size).toBe(1);
  });

  it('forgets what a server said that was started anew since', () => {
    const before = withEvent(withSnapshot(EMPTY, answer([job({ seq: 40 })], 41), now), job({ id: 'b', seq: 42 }));
    const after = withEvent(before, job({ id: 'c', seq: 3 }));
    const list = withSnapshot(after, answer([job({ id: 'd', seq: 2 })], 2), now, before);
    expect([...list.jobs.keys()]).toEqual(['d', 'c']);
    expect(withEvent(list, job({ id: 'd', seq: 4, state: 'running' })).jobs.get('d')?.state).toBe('running');
    expect([...withSnapshot(list, answer([job({ id: 'd', seq: 2 })], 5), now, list).jobs.keys()]).toEqual(['d']);
  });

  it('takes no answer that was overtaken by a later one', () => {
    const first = withSnapshot(EMPTY, answer([job({ seq: 3 })], 5), now);
    const second = withSnapshot(first, answer([], 8), now, first);
    expect(withSnapshot(second, answer([job({ seq: 3 })], 7), now, first)).toBe(second);
  });

  it('puts what is not over first, and the youngest on top', () => {
    const jobs = [
      job({ id: 'old', submitted: '2026-03-01T00:00:00Z' }),
      job({ id: 'over', state: 'ended', submitted: '2026-03-03T00:00:00Z' }),
      job({ id: 'new', submitted: '2026-03-02T00:00:00Z' })
    ];
    const list = withSnapshot(EMPTY, answer(jobs, 1), now);
    expect(sorted(list).map(each => each.id)).toEqual(['new', 'old', 'over']);
    const autumn = [
      job({ id: 'summer time', submitted: '2026-10-25T02:50:00+02:00' }),
      job({ id: 'winter time', submitted: '2026-10-25T02:10:00+01:00' })
    ];
    expect(sorted(withSnapshot(EMPTY, answer(autumn, 1), now))[0].id).toBe('winter time');
    expect(ofKernel(list, 'k')?.id).toBe('new');
    expect(ofKernel(list, undefined)).toBeUndefined();
  });
});
