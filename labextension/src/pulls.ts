import { Notification } from '@jupyterlab/apputils';
import { ISignal, Signal } from '@lumino/signaling';
import { Api } from './api';
import { sentence } from './failure';
import { ITrans, shortName } from './format';
import { IPull } from './types';

/** Images that are fetched to the cluster before any kernel needs them. */
export class Pulls {
  constructor(
    private api: Pick<Api, 'fetchImage'>,
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
    this.take({ reference, state: 'running', step: '', message: '' });
    try {
      await this.api.fetchImage(reference);
    } catch (error) {
      this.take({ reference, state: 'failed', step: '', message: sentence(error) });
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
    const id = known ?? Notification.emit(message, 'in-progress', { autoClose: false });
    if (state === 'running') {
      this.shown.set(reference, id);
      if (known) {
        Notification.update({ id, message });
      }
      return;
    }
    this.shown.delete(reference);
    const failed = state === 'failed';
    Notification.update({ id, message, type: failed ? 'error' : 'success', autoClose: failed ? false : 4000 });
  }

  private pulls = new Map<string, IPull>();
  // The notification of each that is under way.
  private shown = new Map<string, string>();
  private _changed = new Signal<this, IPull>(this);
}

/** What is told of an image, in words. */
export function pullWords(pull: IPull, trans: ITrans): string {
  const name = shortName(pull.reference);
  if (pull.state === 'done') {
    return trans.__('%1 is on the cluster', name);
  }
  if (pull.state === 'failed') {
    return trans.__('%1 was not fetched: %2', name, pull.message);
  }
  return pull.step ? trans.__('%1 is fetched to the cluster: %2', name, pull.step) : trans.__('%1 is fetched …', name);
}
