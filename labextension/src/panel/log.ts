import { Poll } from '@lumino/polling';
import { Widget } from '@lumino/widgets';
import { IContext } from '../context';
import { sentence } from '../failure';
import { jobName } from '../format';
import { containerIcon } from '../icons';
import { IJob } from '../types';

const POLL_MS = 2000;
const KEPT = 1_000_000;

/** A job's log, followed while the job runs and the widget is seen. */
export class LogView extends Widget {
  constructor(
    private context: IContext,
    readonly job: IJob
  ) {
    super();
    const title = context.trans.__('Log of %1', jobName(job, context.trans));
    this.id = `hpcctr-log-${job.id}`;
    this.title.label = title;
    this.title.icon = containerIcon;
    this.title.closable = true;
    this.addClass('jp-Hpcctr-log');
    this.text = this.node.appendChild(document.createElement('pre'));
    this.text.setAttribute('role', 'log');
    this.text.setAttribute('aria-label', title);
    this.text.tabIndex = 0;
    this.text.dataset.empty = context.trans.__('Nothing was written yet.');
    this.poll = new Poll({
      factory: () => this.load(),
      frequency: { interval: POLL_MS, backoff: true, max: 10 * POLL_MS },
      name: `jupyter-hpcctr:log-${job.id}`,
      standby: () => (this.over ? true : this.isVisible ? 'when-hidden' : true)
    });
  }

  dispose(): void {
    this.poll.dispose();
    super.dispose();
  }

  protected onAfterShow(): void {
    void this.poll.refresh();
  }

  private async load(): Promise<void> {
    for (;;) {
      const piece = await this.context.api.log(this.job.id, this.offset);
      if (this.isDisposed) {
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

  /** Show why a log cannot be read. */
  fail(error: unknown): void {
    this.append(sentence(error));
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
