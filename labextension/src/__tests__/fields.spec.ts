import { byField, formOf, harmless, shown, switched, tidy, unusual, wrong } from '../fields';
import { IFields, IRequest } from '../types';
import * as forms from './forms.json';
import { defaults, options, trans } from './samples';

const fields = (chosen: IRequest) => shown(formOf(options, chosen).schema, chosen);

describe('the form for what is chosen', () => {
  it.each(forms.cases.map(each => [each.scheduler, JSON.stringify(each.chosen), each] as const))(
    'is what the server and the widgets make of it: %s %s',
    (scheduler, _, { chosen, shown: wanted }) => {
      expect(shown(formOf(options, { scheduler }).schema, chosen as IRequest)).toEqual(wanted);
    }
  );

  it('leaves what the server sent as it was', () => {
    const before = JSON.stringify(options);
    fields({ partition: 'fast', qos: 'x' });
    expect(JSON.stringify(options)).toBe(before);
  });

  it('is that of the scheduler, and begins anew with another', () => {
    const data = { ...defaults, image: 'a', env: { A: '1' }, nodes: 3, qos: 'long' };
    expect(switched(options, data, 'local')).toEqual({
      ...formOf(options, { scheduler: 'local' }).defaults,
      image: 'a',
      env: { A: '1' },
      scheduler: 'local'
    });
    expect(formOf(options, { scheduler: 'gone' })).toBe(formOf(options, {}));
    expect(formOf({ ...options, schedulers: options.schedulers.slice(1) }, {}).defaults.scheduler).toBe('local');
  });

  it('is unfolded where what is folded away is unusual', () => {
    expect(unusual(options, defaults)).toEqual([]);
    expect(unusual(options, { ...defaults, qos: 'long' })).toEqual(['qos']);
    expect(unusual(options, formOf(options, { scheduler: 'local' }).defaults)).toEqual(['scheduler']);
  });
});

describe('values', () => {
  const slow = fields({ partition: 'slow' });

  it('are checked by themselves', () => {
    const said = (data: IRequest) => wrong(slow, data, trans).map(each => `${each.field}: ${each.message}`);
    expect(said({ nodes: 5 })).toEqual(['nodes: At most 3.']);
    expect(said({ nodes: 0 })).toEqual(['nodes: At least 1.']);
    expect(said({ nodes: 1.5 })).toEqual(['nodes: This is a whole number.']);
    expect(said({ time: 'long' })).toEqual(['time: This is written like 1:00:00 or 2-00:00:00.']);
    expect(said({ nodes: 2, time: '', qos: undefined })).toEqual([]);
    const named: IFields = { account: { type: 'string', title: 'Account', pattern: '^(?:[^ ]+)$' } };
    const words = wrong(named, { account: 'a b' }, trans).map(each => each.message);
    expect(words).toEqual(['This is one word, without spaces.']);
    expect(wrong(named, { account: 'ab' }, trans)).toEqual([]);
  });

  it('are spoken of by the server first', () => {
    const theirs = { field: 'nodes', message: 'theirs', hint: '' };
    const ours = ['nodes', 'time'].map(field => ({ field, message: 'ours', hint: '' }));
    const found = byField([theirs], ours);
    expect(found.get('nodes')).toEqual([theirs]);
    expect(found.get('time')?.[0].message).toBe('ours');
  });

  it('that are empty are not asked for', () => {
    expect(tidy({ image: '', nodes: 1, qos: undefined, time: undefined })).toEqual({ nodes: 1 });
  });

  it('of strangers are taken only where they run and mount nothing', () => {
    const raw = { image: 'a', nodes: 2, argv: ['sh'], env: { A: '1' }, mounts: ['/'], engine: 'bare', time: ['x'] };
    expect(harmless(raw)).toEqual({ image: 'a', nodes: 2 });
    expect([harmless(null), harmless('x'), harmless(7)]).toEqual([{}, {}, {}]);
  });
});
