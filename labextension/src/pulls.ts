import { Notification } from '@jupyterlab/apputils';
import { ISignal, Signal } from '@lumino/signaling';
import { Api } from './api';
import { sentence } from './failure';
import { fetchPart, fetchText, ITrans, shortName } from './format';
import { IPull } from './types';

const UNKNOWN = { step: '', done: null, total: null, left_s: null };

/** Images that are fetched to the cluster before any kernel needs them. */
export class Pulls {
  constructor(
    private api: Pick<Api, 'fetchImage' | 'cancelFetch'>,
    told: ISignal<unknown, IPull>,
    private trans: ITrans
  ) {
    told.connect((_, pull) => this.take(pull));
  }

  /** Emitted when an image has come a step further. */
  get changed(): ISignal<this, IPull> {
    return this._changed;
  }

  /** What was told last of an image; undefined where nobody has asked for it. */
  get(reference: string): IPull | undefined {
    return this.pulls.get(reference);
  }

  /** Have an image fetched; what becomes of it is told by `changed`. */
  async fetch(reference: string): Promise<void> {
    this.take({ reference, state: 'running', ...UNKNOWN, message: '' });
    try {
      await this.api.fetchImage(reference);
    } catch (error) {
      this.take({ reference, state: 'failed', ...UNKNOWN, message: sentence(error) });
    }
  }

  /** Cancel fetching an image. */
  async cancel(reference: string): Promise<void> {
    try {
      await this.api.cancelFetch(reference);
    } catch (error) {
      Notification.error(sentence(error));
    }
  }

  private take(pull: IPull): void {
    this.pulls.set(pull.reference, pull);
    this.notify(pull);
    this._changed.emit(pull);
  }

  private notify(pull: IPull): void {
    const { reference, state } = pull;
    const message = pullWords(pull, this.trans);
    const known = this.shown.get(reference);
    if (state === 'running') {
      const progress = fetchPart(pull);
      if (known) {
        Notification.update({ id: known, message, progress });
      } else {
        const options = { autoClose: false as const, progress, actions: [this.cancelling(reference)] };
        this.shown.set(reference, Notification.emit(message, 'in-progress', options));
      }
      return;
    }
    this.shown.delete(reference);
    const type = state === 'failed' ? 'error' : state === 'done' ? 'success' : 'info';
    const autoClose = state === 'failed' ? false : 4000;
    if (known) {
      Notification.update({ id: known, message, type, autoClose, actions: [], progress: undefined });
    } else {
      Notification.emit(message, type, { autoClose });
    }
  }

  private cancelling(reference: string): Notification.IAction {
    return {
      label: this.trans.__('Cancel fetching'),
      callback: event => {
        event.preventDefault(); // the notification stays, and says what becomes of it
        void this.cancel(reference);
      }
    };
  }

  private pulls = new Map<string, IPull>();
  // The notification of each that is under way.
  private shown = new Map<string, string>();
  private _changed = new Signal<this, IPull>(this);
}

/** What is told of an image, in words. */
export function pullWords(pull: IPull, trans: ITrans): string {
  const name = shortName(pull.reference);
  switch (pull.state) {
    case 'done':
      return trans.__('%1 is on the cluster', name);
    case 'failed':
      return trans.__('%1 was not fetched: %2', name, pull.message);
    case 'cancelled':
      return trans.__('Fetching %1 was cancelled', name);
    default:
      return `${name}: ${pull.step ? fetchText(pull, trans) : trans.__('fetching')}`;
  }
}
