import { amount, duration, moment, shellWords, shortDigest, shortName, size, statusText } from '../format';
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
    expect([amount(2.4, 'EUR'), amount(0.004, 'EUR')]).toEqual(['2.40 EUR', '0.0040 EUR']);
  });

  it('names the day of a time that is not today', () => {
    const now = new Date('2026-03-02T10:00:00');
    expect(moment('2026-03-02T11:30:00', now)).not.toMatch(/Mar/);
    expect(moment('2026-03-03T11:30:00', now)).toMatch(/Mar/);
    expect(moment('2026-03-03T11:30:00', now)).not.toMatch(/2026/);
    expect(moment('2027-03-02T11:30:00', now)).toMatch(/2027/);
    expect(moment('soon', now)).toBe('soon');
  });

  it('quotes what a shell would split', () => {
    expect(shellWords(['a', "it's", '--x=1'])).toBe("a 'it'\\''s' --x=1");
  });
});

describe('the state of a job', () => {
  const now = Date.parse('2026-03-02T10:00:00Z');

  it('says where it runs and how long yet', () => {
    const running = job({ state: 'running', nodes: 'n1', ends: '2026-03-02T10:58:30Z' });
    expect(statusText(running, now, trans)).toBe('Running on n1 · 58 min left');
  });

  it('says why it waits, and how it has ended', () => {
    expect(statusText(job({ reason: 'Resources' }), now, trans)).toBe('Pending (Resources)');
    expect(statusText(job({ state: 'ended', ending: 'TIMEOUT' }), now, trans)).toBe('Ended (TIMEOUT)');
    expect(statusText(job({ state: 'fetching' }), now, trans)).toBe('Fetching image');
  });
});
