/** The list of jobs: snapshots and events in any order make the same list. No JupyterLab in here. */
import { IJob, IJobs } from './types';

export interface IJobList {
  readonly jobs: ReadonlyMap<string, IJob>;
  /** When each of those that have left the list did so. */
  readonly gone: ReadonlyMap<string, number>;
  /** The server's clock minus this one's, in milliseconds. */
  readonly ahead: number;
}

export const EMPTY: IJobList = { jobs: new Map(), gone: new Map(), ahead: 0 };

/** Whether nothing will change any more. */
export function isFinal(job: IJob): boolean {
  return job.state === 'ended' || job.state === 'gone';
}

/** Take all jobs as the server lists them; what an event has said since then stays. */
export function withSnapshot(list: IJobList, answer: IJobs, now: number): IJobList {
  const jobs = new Map<string, IJob>();
  for (const job of answer.jobs) {
    const known = list.jobs.get(job.id);
    if ((list.gone.get(job.id) ?? -1) < answer.seq) {
      jobs.set(job.id, known && known.seq > job.seq ? known : job);
    }
  }
  for (const [id, job] of list.jobs) {
    if (job.seq > answer.seq && !jobs.has(id)) {
      jobs.set(id, job);
    }
  }
  const gone = new Map([...list.gone].filter(([, seq]) => seq >= answer.seq));
  const server = Date.parse(answer.now);
  return { jobs, gone, ahead: isNaN(server) ? 0 : server - now };
}

/** Take one job as an event tells of it; older news than what is known changes nothing. */
export function withEvent(list: IJobList, job: IJob): IJobList {
  const known = list.jobs.get(job.id)?.seq ?? list.gone.get(job.id) ?? -1;
  if (job.seq <= known) {
    return list;
  }
  const jobs = new Map(list.jobs);
  const gone = new Map(list.gone);
  if (job.state === 'gone') {
    jobs.delete(job.id);
    gone.set(job.id, job.seq);
  } else {
    jobs.set(job.id, job);
    gone.delete(job.id);
  }
  return { ...list, jobs, gone };
}

/** For people: what runs or waits first, then what has ended; the youngest on top. */
export function sorted(list: IJobList): IJob[] {
  const rank = (job: IJob) => (isFinal(job) ? 1 : 0);
  return [...list.jobs.values()].sort(
    (a, b) => rank(a) - rank(b) || b.submitted.localeCompare(a.submitted) || b.seq - a.seq
  );
}

/** The job of a kernel: the one that is not over, else the youngest. */
export function ofKernel(list: IJobList, kernelId: string | undefined): IJob | undefined {
  return kernelId ? sorted(list).find(job => job.kernel_id === kernelId) : undefined;
}
