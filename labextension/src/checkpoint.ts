import { Notification } from '@jupyterlab/apputils';
import { IContext } from './context';
import { fullName, ITrans, moment } from './format';
import { IJob } from './types';

/** What is known of a job's checkpoint, as a sentence. */
export function checkpointText(job: IJob, now: number, trans: ITrans): string {
  const known = job.checkpoint;
  const at = (iso: string | null) => moment(iso ?? '', new Date(now));
  switch (known?.state) {
    case 'registered':
      if (!known.runs) {
        return trans.__('Its checkpoint runs when the scheduler says that the job is to end.');
      }
      return Date.parse(known.runs) > now
        ? trans.__('Its checkpoint runs at %1.', at(known.runs))
        : trans.__('Its checkpoint runs now.');
    case 'due':
      return trans.__('Its checkpoint runs as soon as the running code lets it.');
    case 'running':
      return trans.__('Its checkpoint is running.');
    case 'done':
      return trans.__('Its checkpoint ran at %1.', at(known.at));
    case 'failed':
      return trans.__('Its checkpoint failed at %1: %2', at(known.at), known.error);
    default:
      return trans.__('It has no checkpoint.');
  }
}

/** Tells once of each checkpoint that has run while this page is open. */
export class CheckpointNews {
  constructor(private context: IContext) {}

  /** Look at all jobs. */
  look(): void {
    for (const job of this.context.jobs.own) {
      const { state, at } = job.checkpoint ?? { state: 'none', at: null };
      const now = `${job.job} ${state} ${at}`;
      const before = this.seen.get(job.id);
      this.seen.set(job.id, now);
      if (before !== undefined && before !== now) {
        this.tell(job);
      }
    }
  }

  private tell(job: IJob): void {
    const { trans } = this.context;
    const name = fullName(job, trans);
    if (job.checkpoint?.state === 'done') {
      Notification.success(trans.__('The checkpoint of %1 has run.', name), { autoClose: 10_000 });
    } else if (job.checkpoint?.state === 'failed') {
      const message = trans.__('The checkpoint of %1 failed: %2', name, job.checkpoint.error);
      Notification.error(message, { autoClose: false });
    }
  }

  private seen = new Map<string, string>();
}
