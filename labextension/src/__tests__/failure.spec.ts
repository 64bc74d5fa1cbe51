import { failureFrom, sentence } from '../failure';

describe('errors of the server', () => {
  it('are sentences with what to do', () => {
    const said = { message: 'No such partition', hint: 'choose another', field: 'partition', transient: true };
    const failure = failureFrom(400, 'Bad Request', JSON.stringify(said));
    expect([failure.sentence, failure.field, failure.status]).toEqual([
      'No such partition – choose another',
      'partition',
      400
    ]);
    expect(failure.transient).toBe(true);
  });

  it('of a proxy are its status', () => {
    expect(sentence(failureFrom(502, 'Bad Gateway', '<html>'))).toBe('502 Bad Gateway');
    expect(sentence(failureFrom(500, '', '[1]'))).toBe('500');
    expect(sentence('gone')).toBe('gone');
    expect(sentence(new TypeError('Failed to fetch'))).toBe('Failed to fetch');
  });
});
