import { isReference, matching, moved } from '../gallery';
import { isNoted, Limits, noteOf, readNote, restoreCode, sameImage } from '../notes';
import { image, job } from './samples';

const DIGEST = 'sha256:' + '0'.repeat(64);

describe('what a notebook keeps', () => {
  it('is the image and the resources, and no secret', () => {
    const note = noteOf(job());
    expect(note?.image).toEqual({ reference: 'registry.example.org/pi:1', digest: DIGEST });
    expect(note?.request).toEqual({ image: 'registry.example.org/pi:1', nodes: 2 });
    expect(noteOf(job({ image: '', request: {} }))).toBeNull();
  });

  it('is read with care', () => {
    expect([null, 3, {}, { version: 2 }, { version: 1, image: 'x' }].map(readNote)).toEqual(Array(5).fill(null));
    const request = { argv: ['sh'], nodes: 3, image: 'x' };
    const read = readNote({ version: 1, image: { reference: 'a/b:1' }, request });
    expect(read?.request).toEqual({ nodes: 3, image: 'a/b:1' });
  });

  it('is not written again when it comes back from a file with its keys sorted', () => {
    const note = noteOf(job())!;
    const { version, image, request } = note;
    expect(isNoted(note, { image, request: { nodes: request.nodes, image: request.image }, version })).toBe(true);
    expect(isNoted(note, { image, request: { nodes: 3 }, version })).toBe(false);
    expect(isNoted(note, undefined)).toBe(false);
  });

  it('is the code that restores, as the kernel says it last', () => {
    const known = { state: 'none' as const, runs: null, before_s: null, at: null, error: '' };
    const before = { ...noteOf(job())!, restore: 'load()' };
    expect(noteOf(job(), before)?.restore).toBe('load()');
    expect(noteOf(job({ checkpoint: { ...known, restore: null } }), before)?.restore).toBe('load()');
    expect(noteOf(job({ checkpoint: { ...known, restore: 'load(2)' } }), before)?.restore).toBe('load(2)');
    expect(noteOf(job({ checkpoint: { ...known, restore: '' } }), before)).toEqual(noteOf(job()));
    expect(restoreCode(job(), { restore: 3 })).toBe('');
  });

  it('means the same image: by tag where that is the same, else by digest', () => {
    const note = noteOf(job())!;
    expect(sameImage(note, [image({ digest: DIGEST })])).toBe('registry.example.org/pi:1');
    expect(sameImage(note, [image()])).toBe(`registry.example.org/pi@${DIGEST}`);
    expect(sameImage(note, [])).toBe(`registry.example.org/pi@${DIGEST}`);
    const local = { ...note, image: { reference: 'oci:/images/pi:1', digest: DIGEST } };
    expect(sameImage(local, [])).toBe('oci:/images/pi:1');
  });
});

describe('warnings before the time limit', () => {
  const now = Date.parse('2026-03-02T10:00:00Z');
  const ends = (minutes: number) => new Date(now + minutes * 60000).toISOString();
  const running = (minutes: number, limit = 60) =>
    job({ state: 'running', ends: ends(minutes), time_limit_minutes: limit });

  it('come once each', () => {
    const limits = new Limits();
    const told = [20, 14.5, 14, 4.9, 4.8, 0.9, 0].map(left =>
      limits.due([running(left)], [15, 5, 1], now).map(each => each.minutes)
    );
    expect(told).toEqual([[], [15], [], [5], [], [1], []]);
  });

  it('are not for moments before the job began, nor for jobs that wait', () => {
    expect(new Limits().due([running(9, 10)], [15], now)).toEqual([]);
    expect(new Limits().due([job({ ends: ends(3) })], [5], now)).toEqual([]);
  });

  it('are waited for', () => {
    expect(new Limits().next([running(20), running(7)], [15, 5], now)).toBe(2 * 60000);
    expect(new Limits().next([], [15], now)).toBeNull();
  });
});

describe('the gallery', () => {
  const images = [image(), image({ reference: 'r.example.org/pytorch:2', title: 'PyTorch', description: 'CUDA' })];

  it('finds a text, else all of its words', () => {
    expect(matching(images, 'open mpi').map(each => each.title)).toEqual(['Pi']);
    expect(matching(images, 'cuda TORCH').map(each => each.title)).toEqual(['PyTorch']);
    expect(matching(images, '').length).toBe(2);
  });

  it('knows names, and where keys lead', () => {
    const names = ['a/b', 'r.example.org:5000/a/b:1', 'oci:/x:1', 'oci-archive:/x.tar', 'docker-archive:/x.tar'];
    expect(names.filter(each => !isReference(each))).toEqual([]);
    expect(['open mpi', 'scipy', 'archive:/x'].filter(isReference)).toEqual([]);
    expect([moved('ArrowDown', -1, 3), moved('ArrowDown', 2, 3), moved('ArrowUp', 1, 3)]).toEqual([0, 2, 0]);
    expect([moved('a', 0, 3), moved('ArrowDown', 0, 0)]).toEqual([null, null]);
  });
});
