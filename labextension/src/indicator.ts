import { ISessionContext } from '@jupyterlab/apputils';
import { ISignal, Signal } from '@lumino/signaling';
import { IContext } from './context';
import { isFinal, isHere } from './model';
import { INotebook } from './notebooks';
import { IJob } from './types';

type Status = ISessionContext['kernelDisplayStatus'];

const ANSWERS: readonly Status[] = ['idle', 'busy', 'starting', 'unknown'];

/**
 * What JupyterLab's kernel indicator shows for a kernel's own status and its job.
 *
 * While a job waits, after it has ended, and when another process has taken the kernel, the server answers for it:
 * "idle" and "busy" would be untrue then.
 */
export function displayed(own: Status, job: IJob | undefined): Status {
  if (!job || (job.state === 'running' && isHere(job)) || !ANSWERS.includes(own)) {
    return own;
  }
  return isFinal(job) || !isHere(job) ? 'disconnected' : 'starting';
}

/** Have the kernel indicator of each notebook follow the notebook's job. */
export function followJobs(context: IContext): void {
  const { jobs, notebooks } = context;
  const shown = new WeakMap<ISessionContext, Status>();
  const look = ({ session }: INotebook) => {
    const status = session.kernelDisplayStatus;
    const kernel = session.session?.kernel;
    if (kernel && status !== shown.get(session)) {
      // The indicator looks again at every change of the connection; nothing else is done at one that is no change.
      const changed: ISignal<unknown, unknown> = session.connectionStatusChanged;
      (changed as Signal<unknown, unknown>).emit(kernel.connectionStatus);
    }
    shown.set(session, status);
  };
  notebooks.added.connect((_, { session }) => {
    const own = ownStatus(session);
    const get = () => displayed(own(), jobs.ofKernel(session.session?.kernel?.id));
    Object.defineProperty(session, 'kernelDisplayStatus', { get, configurable: true });
  });
  jobs.changed.connect(() => notebooks.all.forEach(look));
}

/** A session's own getter of its status, whichever class it has. */
function ownStatus(session: ISessionContext): () => Status {
  for (let each: unknown = session; each; each = Object.getPrototypeOf(each)) {
    const get = Object.getOwnPropertyDescriptor(each, 'kernelDisplayStatus')?.get;
    if (get) {
      return get.bind(session);
    }
  }
  return () => 'unknown';
}
