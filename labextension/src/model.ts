/** The list of jobs: snapshots and events in any order make the same list. No JupyterLab in here. */
import { IJob, IJobs } from './types';

export interface IJobList {
  readonly jobs: ReadonlyMap<string, IJob>;
  /** When each of those that have left the list did so. */
  readonly gone: ReadonlyMap<string, number>;
  /** The server's clock minus this one's, in milliseconds. */
  readonly ahead: number;
  /** How far the server's count was when last heard of. */
  readonly seq: number;
  /** How far it was in the newest snapshot. */
  readonly read: number;
}

export const EMPTY: IJobList = { jobs: new Map(), gone: new Map(), ahead: 0, seq: -1, read: -1 };

/** Whether nothing will change any more. */
export function isFinal(job: IJob): boolean {
  return job.state === 'ended' || job.state === 'gone';
}

/** Whether this server has the job's kernel. */
export function isHere(job: IJob): boolean {
  return job.owner === null;
}

/** What was heard after another state of the list, which counts from one again. */
function since(list: IJobList, before: IJobList): IJobList {
  const jobs = new Map([...list.jobs].filter(([id, job]) => before.jobs.get(id) !== job));
  const gone = new Map([...list.gone].filter(([id, seq]) => before.gone.get(id) !== seq));
  return { ...EMPTY, jobs, gone };
}

/**
 * Take all jobs as the server lists them; what an event has said since then stays.
 *
 * `asked` is the list as it was when the server was asked: a server that counts lower than that is another one, and
 * what the former one said is over.
 */
export function withSnapshot(list: IJobList, answer: IJobs, now: number, asked: IJobList = EMPTY): IJobList {
  const anew = answer.seq < asked.seq;
  if (!anew && answer.seq < list.read) {
    return list; // a later question was answered first
  }
  const { jobs, gone } = joined(anew ? since(list, asked) : list, answer);
  const server = Date.parse(answer.now);
  const seq = Math.max(answer.seq, ...[...jobs.values()].map(job => job.seq), ...gone.values());
  return { jobs, gone, ahead: isNaN(server) ? 0 : server - now, seq, read: answer.seq };
}

function joined(heard: IJobList, answer: IJobs): Pick<IJobList, 'jobs' | 'gone'> {
  const jobs = new Map<string, IJob>();
  for (const job of answer.jobs) {
    const known = heard.jobs.get(job.id);
    if ((heard.gone.get(job.id) ?? -1) < answer.seq) {
      jobs.set(job.id, known && known.seq > job.seq ? known : job);
    }
  }
  for (const [id, job] of heard.jobs) {
    if (job.seq > answer.seq && !jobs.has(id)) {
      jobs.set(id, job);
    }
  }
  return { jobs, gone: new Map([...heard.gone].filter(([, seq]) => seq >= answer.seq)) };
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
  return { ...list, jobs, gone, seq: Math.max(list.seq, job.seq) };
}

/** For people: what runs or waits first, then what has ended; the youngest on top. */
export function sorted(list: IJobList): IJob[] {
  const rank = (job: IJob) => (isFinal(job) ? 1 : 0);
  // As moments: the offset of local times changes with the season.
  const began = (job: IJob) => Date.parse(job.submitted) || 0;
  return [...list.jobs.values()].sort((a, b) => rank(a) - rank(b) || began(b) - began(a) || b.seq - a.seq);
}

/** The job of a kernel: the one that is not over, else the youngest. */
export function ofKernel(list: IJobList, kernelId: string | undefined): IJob | undefined {
  return kernelId ? sorted(list).find(job => job.kernel_id === kernelId) : undefined;
}
