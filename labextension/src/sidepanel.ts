import { Notification } from '@jupyterlab/apputils';
import { Panel } from '@lumino/widgets';
import { IContext } from './context';
import { sentence } from './failure';
import { containerIcon } from './icons';
import { IJob } from './types';

/** The side panel; what is in it is loaded when it is first shown. */
export class JobsPanel extends Panel {
  constructor(private context: IContext) {
    super();
    this.id = 'hpcctr-jobs';
    this.addClass('jp-Hpcctr-panel');
    this.title.caption = context.trans.__('Cluster jobs');
    this.title.icon = containerIcon;
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', context.trans.__('Cluster jobs'));
  }

  protected onBeforeShow(): void {
    void this.context.jobs.refresh();
    if (!this.begun) {
      this.begun = true;
      import('./panel/panel').then(
        ({ jobList }) => this.addWidget(jobList(this.context)),
        error => Notification.error(sentence(error))
      );
    }
  }

  private begun = false;
}

/** Show a job's log in the main area. */
export async function showLog(context: IContext, job: IJob): Promise<void> {
  const { LogView } = await import('./panel/log');
  const { shell } = context.app;
  const id = `hpcctr-log-${job.id}`;
  if (![...shell.widgets('main')].some(widget => widget.id === id)) {
    shell.add(new LogView(context, job), 'main', { mode: 'split-bottom' });
  }
  shell.activateById(id);
}
