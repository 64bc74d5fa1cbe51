import { IRunningSessionManagers, IRunningSessions } from '@jupyterlab/running';
import { LabIcon } from '@jupyterlab/ui-components';
import { cancel, cancelAll, open, remove } from './actions';
import { IContext, JOBS } from './context';
import { jobName, shortName, statusText } from './format';
import { containerIcon } from './icons';
import { isFinal } from './model';
import { IJob } from './types';

/** A section of JupyterLab's panel of what runs. */
export function addToRunning(context: IContext, managers: IRunningSessionManagers): void {
  const { jobs, trans, app } = context;
  const item = (job: IJob): IRunningSessions.IRunningItem => ({
    icon: (): LabIcon => containerIcon,
    label: () => [job.job && jobName(job, trans), job.notebook ?? shortName(job.image)].filter(Boolean).join(': '),
    labelTitle: () => [job.image, job.message].filter(Boolean).join('\n'),
    detail: () => statusText(job, jobs.now(), trans),
    open: () => void (job.notebook ? open(context, job) : app.commands.execute(JOBS)),
    shutdown: () => void (isFinal(job) ? remove(context, job) : cancel(context, job))
  });
  managers.add({
    name: trans.__('Cluster jobs'),
    running: () => jobs.own.map(item),
    refreshRunning: () => void jobs.refresh(),
    runningChanged: jobs.changed,
    // The panel has asked before it calls this.
    shutdownAll: () => void cancelAll(context),
    shutdownLabel: trans.__('Cancel job'),
    shutdownAllLabel: trans.__('Cancel All'),
    shutdownAllConfirmationText: trans.__('Cancel all your cluster jobs? All variables of their kernels are lost.')
  });
}
