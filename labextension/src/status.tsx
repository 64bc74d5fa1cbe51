import { IStatusBar } from '@jupyterlab/statusbar';
import { ReactWidget } from '@jupyterlab/ui-components';
import { Signal } from '@lumino/signaling';
import * as React from 'react';
import { IContext, JOBS } from './context';
import { fullName, ownerText, statusText } from './format';
import { isHere } from './model';
import { IJob } from './types';

const TICK_MS = 30_000;

/** The state of the current notebook's job; a click shows all jobs. */
class StatusItem extends ReactWidget {
  constructor(private context: IContext) {
    super();
    this.id = 'hpcctr-status';
    this.addClass('jp-Hpcctr-status');
    context.jobs.changed.connect(this.refresh, this);
    context.notebooks.changed.connect(this.refresh, this);
  }

  dispose(): void {
    window.clearInterval(this.ticking);
    super.dispose();
  }

  readonly activeStateChanged = new Signal<this, void>(this);

  get job(): IJob | undefined {
    const { jobs, notebooks, settings } = this.context;
    return settings.showStatusBar ? jobs.ofKernel(notebooks.current?.session.session?.kernel?.id) : undefined;
  }

  /** Show what there is now; the time that is left is counted while there is a job. */
  refresh(): void {
    const active = this.job !== undefined;
    if (active !== this.active) {
      this.active = active;
      this.activeStateChanged.emit();
    }
    if (active && !this.ticking) {
      this.ticking = window.setInterval(() => this.update(), TICK_MS);
    } else if (!active && this.ticking) {
      window.clearInterval(this.ticking);
      this.ticking = 0;
    }
    this.update();
  }

  render(): JSX.Element | null {
    const { trans, jobs, app } = this.context;
    const job = this.job;
    if (!job) {
      return null;
    }
    const text = isHere(job) ? statusText(job, jobs.now(), trans) : trans.__('Kernel taken over');
    const about = isHere(job) ? job.message : ownerText(job, trans);
    return (
      <button
        type="button"
        data-state={job.state}
        title={[fullName(job, trans), job.image, about, trans.__('Show the jobs')].filter(Boolean).join('\n')}
        onClick={() => void app.commands.execute(JOBS)}
      >
        {text}
      </button>
    );
  }

  private active = false;
  private ticking = 0;
}

/** Put the item into the status bar. */
export function addToStatusBar(context: IContext, bar: IStatusBar): void {
  const item = new StatusItem(context);
  bar.registerStatusItem('jupyter-hpcctr:status', {
    item,
    align: 'left',
    rank: 3,
    isActive: () => item.job !== undefined,
    activeStateChanged: item.activeStateChanged
  });
}
