import { Event, ServiceManager } from '@jupyterlab/services';
import { IDisposable } from '@lumino/disposable';
import { Poll } from '@lumino/polling';
import { ISignal, Signal } from '@lumino/signaling';
import { Api } from './api';
import { Failure, sentence } from './failure';
import { EMPTY, IJobList, isFinal, isHere, ofKernel, sorted, withEvent, withSnapshot } from './model';
import { IJob, IPull } from './types';

const SCHEMAS = 'https://jupyter-hpcctr.github.io/schemas/';
const POLL_MS = 30_000;
const POLL_MAX_MS = 300_000;

/** The user's jobs: told by events, and asked for where an event may have been missed. */
export class Jobs implements IDisposable {
  constructor(
    readonly api: Api,
    private events: Event.IManager,
    private kernels: ServiceManager.IManager['kernels']
  ) {
    this.events.stream.connect(this.onEvent, this);
    this.kernels.runningChanged.connect(this.onKernels, this);
    document.addEventListener('visibilitychange', this.onVisible);
    this.poll = new Poll({
      factory: () => this.load(),
      frequency: { interval: POLL_MS, backoff: true, max: POLL_MAX_MS },
      name: 'jupyter-hpcctr:jobs',
      standby: () => (this.active || this.again ? 'when-hidden' : true)
    });
  }

  /** Emitted after every change of the list. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emitted when an image that was asked for has come a step further. */
  get pulled(): ISignal<this, IPull> {
    return this._pulled;
  }

  /** Why the list could not be read, "" when it could. */
  problem = '';

  /** Whether the list has been read once. */
  loaded = false;

  /** Of every server and program of this user, as far as is known. */
  get all(): IJob[] {
    return sorted(this.list);
  }

  /** Those whose kernels this server has. */
  get own(): IJob[] {
    return this.all.filter(isHere);
  }

  /** Whether anything may still change. */
  get active(): boolean {
    return !this.isDisposed && this.all.some(job => !isFinal(job));
  }

  /** The server's time, in milliseconds. */
  now(): number {
    return Date.now() + this.list.ahead;
  }

  get(id: string): IJob | undefined {
    return this.list.jobs.get(id);
  }

  ofKernel(kernelId: string | undefined): IJob | undefined {
    return ofKernel(this.list, kernelId);
  }

  /** Read the list now; why it cannot be read is in `problem`. */
  refresh(): Promise<void> {
    // Not by the poll, which would wait while nothing can change.
    this.loading ??= this.load()
      .catch(() => undefined)
      .finally(() => (this.loading = null));
    return this.loading;
  }

  dispose(): void {
    if (!this.isDisposed) {
      this.isDisposed = true;
      this.events.stream.disconnect(this.onEvent, this);
      this.kernels.runningChanged.disconnect(this.onKernels, this);
      document.removeEventListener('visibilitychange', this.onVisible);
      this.poll.dispose();
      Signal.clearData(this);
    }
  }

  isDisposed = false;

  private async load(): Promise<void> {
    const asked = this.list;
    try {
      const answer = await this.api.jobs();
      this.list = withSnapshot(this.list, answer, Date.now(), asked);
      this.problem = '';
      this.again = false;
      this.loaded = true;
    } catch (error) {
      this.problem = sentence(error);
      this.again = !(error instanceof Failure && error.status === 404); // a server without our part stays that
      this._changed.emit();
      throw error; // the poll waits longer then
    }
    this._changed.emit();
  }

  private onEvent(_: unknown, event: Event.Emission): void {
    if (event.schema_id === `${SCHEMAS}job/v1`) {
      const known = this.list;
      this.list = withEvent(this.list, event.job as unknown as IJob);
      if (this.list !== known) {
        this._changed.emit();
      }
    } else if (event.schema_id === `${SCHEMAS}pull/v1`) {
      this._pulled.emit(event as unknown as IPull);
    }
  }

  // Where events were missed, as while the server was away, the kernels tell that there is something to ask for.
  private onKernels(_: unknown, models: { id: string }[]): void {
    const names = models
      .map(model => model.id)
      .sort()
      .join();
    if (names !== this.names) {
      this.names = names;
      if (this.loaded || this.problem) {
        void this.refresh();
      }
    }
  }

  private onVisible = (): void => {
    if (document.visibilityState === 'visible' && (this.active || this.again)) {
      void this.refresh();
      void this.kernels.refreshRunning().catch(() => undefined);
    }
  };

  private list: IJobList = EMPTY;
  // Whether the list could not be read, and may be later.
  private again = false;
  private names = '';
  private loading: Promise<void> | null = null;
  private poll: Poll;
  private _changed = new Signal<this, void>(this);
  private _pulled = new Signal<this, IPull>(this);
}
