import { Notification } from '@jupyterlab/apputils';
import { Signal } from '@lumino/signaling';
import { fetchPart, fetchText } from '../format';
import { Pulls } from '../pulls';
import { IPull } from '../types';
import { trans } from './samples';

jest.mock('@jupyterlab/apputils', () => ({
  Notification: { emit: jest.fn(() => 'n'), update: jest.fn(), error: jest.fn() }
}));

const pull = (changes: Partial<IPull>): IPull => ({
  reference: 'registry.example.org/pi:1',
  state: 'running',
  step: 'fetching',
  done: 120e6,
  total: 300e6,
  left_s: 42,
  message: '',
  ...changes
});

describe('how far an image is', () => {
  it('is said in bytes and in an estimate of the time', () => {
    expect(fetchText(pull({}), trans)).toBe('fetching 120 MB of 300 MB, about 50 s left');
    expect(fetchText(pull({ step: 'unpacking', left_s: 130 }), trans)).toBe(
      'unpacking 120 MB of 300 MB, about 3 min left'
    );
    expect(fetchText(pull({ total: null, left_s: null }), trans)).toBe('fetching 120 MB');
    expect(fetchText(pull({ step: 'waiting', done: null, total: null, left_s: null }), trans)).toBe(
      'waiting for other images'
    );
    expect(fetchText(pull({ step: 'flattening', done: 0, left_s: 0 }), trans)).toBe(
      'writing to the store 300 MB, almost done'
    );
    expect([pull({}), pull({ total: null }), pull({ done: 400e6 })].map(fetchPart)).toEqual([0.4, undefined, 1]);
  });
});

describe('images that are fetched', () => {
  afterEach(() => jest.clearAllMocks());
  const owner = {};
  const reference = 'registry.example.org/pi:1';

  it('have one notification with a bar and a way to cancel', async () => {
    const told = new Signal<object, IPull>(owner);
    const api = { fetchImage: jest.fn(async () => undefined), cancelFetch: jest.fn(async () => undefined) };
    const pulls = new Pulls(api, told, trans);
    await pulls.fetch(reference);
    const [[, , options]] = (Notification.emit as jest.Mock).mock.calls;
    told.emit(pull({}));
    expect((Notification.update as jest.Mock).mock.calls[0][0]).toMatchObject({ id: 'n', progress: 0.4 });
    const event = { preventDefault: jest.fn() };
    options.actions[0].callback(event);
    expect(event.preventDefault).toHaveBeenCalled();
    expect(api.cancelFetch).toHaveBeenCalledWith(reference);
    told.emit(pull({ state: 'cancelled' }));
    expect((Notification.update as jest.Mock).mock.calls[1][0]).toMatchObject({
      message: 'Fetching pi:1 was cancelled',
      type: 'info',
      actions: []
    });
    expect(Notification.emit).toHaveBeenCalledTimes(1);
  });

  it('say why they cannot be fetched, or cannot be stopped', async () => {
    const refuse = jest.fn(async () => Promise.reject(new Error('no')));
    const pulls = new Pulls({ fetchImage: refuse, cancelFetch: refuse }, new Signal<object, IPull>(owner), trans);
    await pulls.fetch(reference);
    expect(pulls.get(reference)?.message).toBe('no');
    await pulls.cancel(reference);
    expect(Notification.error).toHaveBeenCalledWith('no');
  });
});
