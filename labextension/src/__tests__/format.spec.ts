import {
  amount,
  duration,
  fullName,
  moment,
  phases,
  shortDigest,
  shortName,
  shortPath,
  size,
  statusText
} from '../format';
import { job, trans } from './samples';

describe('words for numbers', () => {
  it('gives a duration its two largest units', () => {
    const minutes = [-3, 0.5, 58, 60, 200, 1440, 3120];
    expect(minutes.map(duration)).toEqual(['0 min', '0 min', '58 min', '1 h', '3 h 20 min', '1 d', '2 d 4 h']);
  });

  it('gives sizes, names and amounts', () => {
    expect([12, 999_700, 1_230_000_000].map(size)).toEqual(['12 B', '1.0 MB', '1.2 GB']);
    expect(shortName('registry.example.org:5000/a/b:1@sha256:00')).toBe('b:1');
    expect(shortDigest('sha256:0123456789abcdef')).toBe('0123456789ab');
    expect([2.4, 0.03295, 0.004, 0, 1234.5].map(each => amount(each, 'EUR'))).toEqual([
      '2.40 EUR',
      '0.04 EUR',
      '0.01 EUR',
      '0.00 EUR',
      '1235 EUR'
    ]);
  });

  it('names the day of a time that is not today', () => {
    const now = new Date('2026-03-02T10:00:00');
    expect(moment('2026-03-02T11:30:00', now)).not.toMatch(/Mar/);
    expect(moment('2026-03-03T11:30:00', now)).toMatch(/Mar/);
    expect(moment('2026-03-03T11:30:00', now)).not.toMatch(/2026/);
    expect(moment('2027-03-02T11:30:00', now)).toMatch(/2027/);
    expect(moment('soon', now)).toBe('soon');
  });
});

describe('the phases of a start', () => {
  it('are durations, in the order in which they ended', () => {
    const reached = { fetched: 30, submitted: 30.4, 'node up': 151, queued: 150.4, 'kernel ready': 152.5 };
    expect(phases(job({ phases: reached }), trans)).toBe(
      'image fetched in 30 s, submitted in 0.4 s, queued for 2 min, job started in 0.6 s, ' +
        'kernel started in 1.5 s, 2 min in all'
    );
    expect(phases(job({ phases: { submitted: 0.5 } }), trans)).toBe('submitted in 0.5 s');
    expect(phases(job(), trans)).toBe('');
  });
});

describe('the name of a job', () => {
  it('has its notebook in it, as far as that fits', () => {
    expect(fullName(job(), trans)).toBe('job 12 of pi.ipynb');
    expect(fullName(job({ job: null }), trans)).toBe('the job of pi.ipynb');
    expect(fullName(job({ notebook: null }), trans)).toBe('job 12');
    expect(shortPath('a/b/pi.ipynb')).toBe('a/b/pi.ipynb');
    expect(shortPath('a/bc/pi.ipynb', 14)).toBe('…/bc/pi.ipynb');
    expect(shortPath('a/bc/pi.ipynb', 5)).toBe('…/pi.ipynb');
  });
});

describe('the state of a job', () => {
  const now = Date.parse('2026-03-02T10:00:00Z');

  it('says where it runs and how long yet', () => {
    const running = job({ state: 'running', nodes: 'n1', ends: '2026-03-02T10:58:30Z' });
    expect(statusText(running, now, trans)).toBe('Running on n1 · 58 min left');
    const last = job({ state: 'running', nodes: 'n1', ends: '2026-03-02T10:00:30Z' });
    expect(statusText(last, now, trans)).toBe('Running on n1 · less than 1 min left');
  });

  it('says why it waits, and how it has ended', () => {
    expect(statusText(job({ reason: 'Resources' }), now, trans)).toBe('Pending (Resources)');
    expect(statusText(job({ state: 'ended', ending: 'TIMEOUT' }), now, trans)).toBe('Ended (time limit reached)');
    expect(statusText(job({ state: 'ended', ending: 'COMPLETED' }), now, trans)).toBe('Ended');
    expect(statusText(job({ state: 'ended', ending: 'BOOT_FAIL' }), now, trans)).toBe('Ended (boot fail)');
    expect(statusText(job({ state: 'fetching' }), now, trans)).toBe('Fetching image');
    const fetch = { step: 'fetching', done: 5e6, total: 1e7, left_s: 4 };
    expect(statusText(job({ state: 'fetching', fetch }), now, trans)).toBe(
      'Fetching image: 5.0 MB of 10 MB, about 4 s left'
    );
  });
});
