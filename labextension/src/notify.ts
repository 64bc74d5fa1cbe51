import { Notification } from '@jupyterlab/apputils';
import { CheckpointNews, checkpointText } from './checkpoint';
import { CONTINUE, IContext, JOBS } from './context';
import { duration, fullName, minutesLeft, moment, shortName, shortPath, statusText } from './format';
import { isFinal } from './model';
import { Limits } from './notes';
import { IJob } from './types';

function waits(job: IJob): boolean {
  return !isFinal(job) && job.state !== 'running';
}

interface IShown {
  id: string;
  job: string | null;
  checkpoint: string;
}

/** What a warning has told of a checkpoint. */
function told({ checkpoint }: IJob): string {
  return `${checkpoint?.state} ${checkpoint?.runs}`;
}

/** Tells of long waits, with their progress, and of ends that come near. */
export class Notifier {
  constructor(private context: IContext) {
    this.checkpoints = new CheckpointNews(context);
    context.jobs.changed.connect(this.look, this);
    context.notebooks.changed.connect(this.look, this);
  }

  /** Look at all jobs, and come back when something will be due. */
  look(): void {
    const { jobs, settings } = this.context;
    window.clearTimeout(this.timer);
    const now = jobs.now();
    let next = this.limits.next(jobs.own, settings.warnMinutes, now) ?? Infinity;
    for (const job of jobs.own) {
      next = Math.min(next, this.waiting(job, now));
    }
    this.takeBack();
    this.keepTrue(now);
    this.checkpoints.look();
    this.limits.due(jobs.own, settings.warnMinutes, now).forEach(each => this.warn(each.job, each.minutes));
    if (next < Infinity) {
      this.timer = window.setTimeout(() => this.look(), Math.min(Math.max(next, 0) + 100, 0x7fffffff));
    }
  }

  // Milliseconds until there is something to say of a job that waits; Infinity if that is now or never.
  private waiting(job: IJob, now: number): number {
    const shown = this.shown.get(job.id);
    if (shown !== undefined) {
      this.follow(job, shown);
      return Infinity;
    }
    if (!waits(job)) {
      this.since.set(job.id, null);
    } else if (this.since.get(job.id) === null) {
      this.since.set(job.id, now); // its kernel was restarted
    }
    if (!waits(job) || !this.context.notebooks.ofKernel(job.kernel_id)) {
      return Infinity;
    }
    const since = this.since.get(job.id) ?? Date.parse(job.submitted);
    const left = since + this.context.settings.notifyAfterSeconds * 1000 - now;
    if (left <= 0) {
      const options = { autoClose: false as const, actions: [this.showJobs()] };
      this.shown.set(job.id, Notification.emit(this.words(job), 'in-progress', options));
      return Infinity;
    }
    return left;
  }

  private follow(job: IJob, id: string): void {
    const { trans } = this.context;
    if (waits(job)) {
      Notification.update({ id, message: this.words(job) });
      return;
    }
    this.shown.delete(job.id);
    if (job.state === 'running') {
      const message = trans.__('%1 runs on %2', this.named(job), job.nodes || trans.__('its node'));
      Notification.update({ id, message, type: 'success', autoClose: 4000, actions: [] });
    } else if (job.error) {
      const message = `${this.named(job)}: ${job.error.message} ${job.error.hint}`.trim();
      Notification.update({ id, message, type: 'error', autoClose: false, actions: [this.showJobs()] });
    } else {
      Notification.dismiss(id);
    }
  }

  private named(job: IJob): string {
    const name = fullName(job, this.context.trans);
    return name[0].toUpperCase() + name.slice(1);
  }

  private words(job: IJob): string {
    const { trans, jobs } = this.context;
    const starts = job.expected_start ? trans.__('expected start %1', moment(job.expected_start, new Date())) : '';
    const what = job.notebook ? shortPath(job.notebook) : shortName(job.image);
    return `${what}: ${[statusText(job, jobs.now(), trans), starts].filter(Boolean).join(' · ')}`;
  }

  private warn(job: IJob, minutes: number): void {
    const { trans, app } = this.context;
    const label = trans.__('Continue in a new job');
    const callback = () => void app.commands.execute(CONTINUE, { id: job.id });
    const id = Notification.warning(this.ends(job, minutes), {
      autoClose: false,
      actions: [{ label, callback, caption: trans.__('Variables are lost. You are asked first.') }]
    });
    this.forget(job.id);
    this.warned.set(job.id, { id, job: job.job, checkpoint: told(job) });
  }

  private ends(job: IJob, minutes: number): string {
    const { trans, jobs } = this.context;
    const warning = trans.__('%1 ends in %2', this.named(job), this.left(minutes));
    return `${warning}. ${checkpointText(job, jobs.now(), trans)}`;
  }

  // A warning that is shown says what has become of the checkpoint since.
  private keepTrue(now: number): void {
    for (const [launch, warning] of this.warned) {
      const job = this.context.jobs.get(launch);
      const left = job ? minutesLeft(job, now) : null;
      if (job && left !== null && told(job) !== warning.checkpoint) {
        warning.checkpoint = told(job);
        Notification.update({ id: warning.id, message: this.ends(job, Math.ceil(left)) });
      }
    }
  }

  // A warning of a job that has ended, or begun anew, helps nobody.
  private takeBack(): void {
    for (const [launch, { job }] of this.warned) {
      const now = this.context.jobs.get(launch);
      if (!now || isFinal(now) || now.job !== job) {
        this.forget(launch);
      }
    }
  }

  private forget(launch: string): void {
    const warning = this.warned.get(launch);
    if (warning) {
      this.warned.delete(launch);
      Notification.dismiss(warning.id);
    }
  }

  private left(minutes: number): string {
    return minutes < 60 ? this.context.trans._n('%1 minute', '%1 minutes', minutes) : duration(minutes);
  }

  private showJobs(): Notification.IAction {
    const { trans, app } = this.context;
    return {
      label: trans.__('Show jobs'),
      callback: event => {
        event.preventDefault(); // the notification stays
        void app.commands.execute(JOBS);
      }
    };
  }

  private limits = new Limits();
  private shown = new Map<string, string>();
  private warned = new Map<string, IShown>();
  private checkpoints: CheckpointNews;
  // When a job that had run before began to wait; null while it does not.
  private since = new Map<string, number | null>();
  private timer = 0;
}
