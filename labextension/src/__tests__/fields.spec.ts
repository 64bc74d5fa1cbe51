import { byField, harmless, narrowed, tidy, wrong } from '../fields';
import { IRequest } from '../types';
import { options, trans } from './samples';

describe('the form for a partition', () => {
  it('has the limits of the partition, and says what is idle', () => {
    const { properties } = narrowed(options, { partition: 'slow' }, trans);
    expect(properties.nodes.maximum).toBe(3);
    expect(properties.partition.description).toBe('1 of 4 nodes are idle, 12 CPUs');
    expect(properties.gpus_per_node).toBeUndefined();
    expect(properties.constraint.enum).toEqual(['ib_hdr']);
  });

  it('shows GPUs where there are any', () => {
    const { properties } = narrowed(options, { partition: 'fast' }, trans);
    expect(properties.nodes.maximum).toBe(4);
    expect(properties.gpus_per_node.description).toBe('3 a100 idle');
    expect(properties.gpu_type.enum).toEqual(['a100']);
  });

  it('still shows what was chosen where there is none of it, so that it can be taken back', () => {
    const { properties } = narrowed(options, { partition: 'slow', gpus_per_node: 2, qos: 'huge' }, trans);
    expect(properties.gpus_per_node).toBeDefined();
    expect(properties.qos.enum).toContain('huge');
  });

  it('has no partitions without a scheduler, and the qualities of an account', () => {
    expect(narrowed(options, { scheduler: 'local' }, trans).properties.partition).toBeUndefined();
    expect(narrowed(options, { account: 'phys' }, trans).properties.qos.enum).toEqual(['long']);
  });

  it('leaves what the server sent as it was', () => {
    const before = JSON.stringify(options);
    narrowed(options, { partition: 'fast', qos: 'x' }, trans);
    expect(JSON.stringify(options)).toBe(before);
  });
});

describe('values', () => {
  const schema = narrowed(options, { partition: 'slow' }, trans);

  it('are checked by themselves', () => {
    const said = (data: IRequest) => wrong(schema, data, trans).map(each => `${each.field}: ${each.message}`);
    expect(said({ nodes: 5 })).toEqual(['nodes: At most 3.']);
    expect(said({ nodes: 0 })).toEqual(['nodes: At least 1.']);
    expect(said({ nodes: 1.5 })).toEqual(['nodes: This is a whole number.']);
    expect(said({ time: 'long' })).toEqual(['time: This is written like 1:00:00 or 30.']);
    expect(said({ nodes: 2, time: '', qos: undefined })).toEqual([]);
    const word = { type: 'string', title: 'Account', pattern: '^(?:[^ ]+)$' };
    const named = { ...schema, properties: { account: word } } as typeof schema;
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
