import { ageWords, renewed } from '../picker/fresh';
import { options, trans } from './samples';

const [slurm, local] = options.schedulers;

describe('the figures of what is idle', () => {
  it('say how old they are', () => {
    const ages = [0, 4_000, 15_000, 119_000, 300_000].map(each => ageWords(each, trans));
    expect(ages).toEqual(['just now', 'just now', '15 s ago', '119 s ago', '5 min ago']);
  });

  it('stay with their age when the scheduler does not answer any more', () => {
    const known = { options, asked: 5 };
    const down = { ...options, schedulers: [{ ...slurm, problem: 'no answer', partitions: [] }, local] };
    expect(renewed(known, down)).toBe(known);
    expect(renewed({ options: down, asked: 5 }, options).options).toBe(options);
  });

  it('do not change the form where they are the same', () => {
    const fresh = renewed({ options, asked: 5 }, { ...options, age_s: 0 });
    expect(fresh.options).toBe(options);
    expect(fresh.asked).toBeGreaterThan(5);
  });
});
