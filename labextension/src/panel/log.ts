import { Poll } from '@lumino/polling';
import { Widget } from '@lumino/widgets';
import { IContext } from '../context';
import { Failure, sentence } from '../failure';
import { fullName } from '../format';
import { containerIcon } from '../icons';
import { isFinal } from '../model';
import { IJob, ILog } from '../types';

const POLL_MS = 2000;
const KEPT = 1_000_000;

/** A job's log, followed while the job runs and the widget is seen. */
export class LogView extends Widget {
  constructor(
    private context: IContext,
    readonly job: IJob
  ) {
    super();
    this.id = `hpcctr-log-${job.id}`;
    this.title.icon = containerIcon;
    this.title.closable = true;
    this.addClass('jp-Hpcctr-log');
    this.text = this.node.appendChild(document.createElement('pre'));
    this.text.setAttribute('role', 'log');
    this.text.tabIndex = 0;
    this.nameOf(job);
    this.poll = new Poll({
      factory: () => this.load(),
      frequency: { interval: POLL_MS, backoff: true, max: 10 * POLL_MS },
      name: `jupyter-hpcctr:log-${job.id}`,
      standby: () => (this.isVisible && !(this.over && this.isEnded) ? 'when-hidden' : true)
    });
  }

  dispose(): void {
    this.poll.dispose();
    super.dispose();
  }

  protected onAfterShow(): void {
    void this.poll.refresh();
  }

  // A kernel that is restarted in a new job goes on in the same log.
  private get isEnded(): boolean {
    const job = this.context.jobs.get(this.job.id);
    return !job || isFinal(job);
  }

  private nameOf(job: IJob): void {
    const { trans } = this.context;
    this.text.dataset.empty = this.isEnded ? trans.__('Nothing was printed.') : trans.__('Nothing was printed yet.');
    this.title.label = trans.__('Log of %1', fullName(job, trans));
    this.text.setAttribute('aria-label', this.title.label);
  }

  private async load(): Promise<void> {
    this.nameOf(this.context.jobs.get(this.job.id) ?? this.job);
    for (;;) {
      const piece = await this.ask();
      if (this.isDisposed || !piece) {
        return;
      }
      this.offset = piece.next_offset;
      this.over = piece.ended;
      if (!piece.text) {
        return;
      }
      this.append(piece.text);
    }
  }

  private async ask(): Promise<ILog | null> {
    try {
      return await this.context.api.log(this.job.id, this.offset);
    } catch (error) {
      if (!(error instanceof Failure && error.status === 404)) {
        throw error; // the poll waits longer, and asks again
      }
      if (!this.over) {
        this.append(sentence(error) + '\n'); // it has left the list
      }
      this.over = true;
      return null;
    }
  }

  private append(text: string): void {
    const follow = this.text.scrollHeight - this.text.scrollTop - this.text.clientHeight < 40;
    this.text.append(text);
    this.length += text.length;
    while (this.length > KEPT && this.text.firstChild && this.text.childNodes.length > 1) {
      this.length -= this.text.firstChild.textContent?.length ?? 0;
      this.text.firstChild.remove();
    }
    if (follow) {
      this.text.scrollTop = this.text.scrollHeight;
    }
  }

  private text: HTMLPreElement;
  private poll: Poll;
  private offset = 0;
  private length = 0;
  private over = false;
}
