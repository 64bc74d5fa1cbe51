/** What the server says, by the names that the pages use. ./openapi is made from the server's document. */
import type { components } from './openapi';

type Schemas = components['schemas'];

/** What a user asks for. Values are numbers or short texts; the server reads and checks it. */
export type IRequest = Schemas['Written'];

/** The same with requests that may have been written by hand, or elsewhere: their values may be anything. */
type Asked<T> = Omit<T, 'request'> & { request: IRequest };

export type IImage = Schemas['Image'];
export type IBadge = IImage['badges'][number];
export type IImages = Schemas['Images'];
/** What an image's registry says of its name. */
export type ICheck = Schemas['Check'];

export type IOptions = Schemas['Options'];
export type IForm = Schemas['Form'];
export type IFormSchema = Schemas['FormSchema'];
export type ICondition = Schemas['Condition'];
/** One field of the form, as JSON Schema has it. */
export type IField = Schemas['Field'];
export type IFields = { [name: string]: IField };

export type IProblem = Schemas['Problem'];
export type IPlan = Asked<Schemas['Plan']>;
export type ICopies = Schemas['Copies'];
/** A request that is kept as a kernelspec. */
export type IKept = Asked<Schemas['Kept']>;

/** An environment definition file: its text, with what messages call it, or where it is on the server. */
export type IEdfSource = { text: string; name: string } | { path: string };
/** What an environment definition file asks for, or why that is not understood. */
export type IEdf = Schemas['Edf'];

/** What a kernel has registered by `%hpcctr`; in the state "none" only `restore` counts. */
export type ICheckpoint = Schemas['Checkpoint'];
/** How far an image is that is being fetched: bytes of the step, and estimated seconds until the image is there. */
export type IFetch = Schemas['Fetch'];

/** The states of a job in the list, and "gone", by which events say that it has left that. */
export type State = Schemas['Job']['state'] | 'gone';
export type IJob = Omit<Schemas['Job'], 'state'> & { state: State };
export type IJobs = Omit<Schemas['Jobs'], 'jobs'> & { jobs: IJob[] };
export type ILog = Schemas['Log'];

/** What events say of an image that is being fetched (events/pull.yaml beside the server). */
export interface IPull extends IFetch {
  reference: string;
  state: 'running' | 'done' | 'failed' | 'cancelled';
  message: string;
}

/** The last execution of a cell. */
export type ICell = Schemas['Cell'];
export type ICellOutputs = Schemas['CellOutputs'];
