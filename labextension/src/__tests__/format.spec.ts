import { duration } from '../format';

describe('duration', () => {
  it('takes the two largest units', () => {
    expect([0.5, 58, 60, 200, 1440, 3120].map(duration)).toEqual([
      '0 min',
      '58 min',
      '1 h',
      '3 h 20 min',
      '1 d',
      '2 d 4 h'
    ]);
  });
});
