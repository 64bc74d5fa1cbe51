/** What the server says, field for field; openapi.yaml beside the server documents it. */

/** What a user asks for. Values are numbers or short texts; the server reads and checks it. */
export interface IRequest {
  image?: string;
  engine?: string;
  scheduler?: string;
  [key: string]: unknown;
}

export interface IBadge {
  kind: 'mpi' | 'gpu' | 'cpu';
  text: string;
}

export interface IImage {
  reference: string;
  title: string;
  description: string;
  digest: string;
  size_bytes: number | null;
  created: string | null;
  on_cluster: boolean;
  sources: string[];
  kernels: string[];
  badges: IBadge[];
}

export interface IImages {
  images: IImage[];
  problems: { registry: string; message: string }[];
}

/** What an image's registry says of its name. */
export interface ICheck {
  reference: string;
  /** null where that cannot be known now. */
  found: boolean | null;
  size_bytes: number | null;
  message: string;
  hint: string;
  near: string[];
}

export interface IGpus {
  type: string;
  per_node: number;
  idle: number | null;
}

export interface IPartition {
  name: string;
  is_default: boolean;
  is_up: boolean;
  nodes_total: number;
  nodes_idle: number;
  cpus_per_node: number;
  cpus_idle: number | null;
  mem_mb_per_node: number;
  gpus: IGpus[];
  features: string[];
  time_limit_minutes: number | null;
  max_nodes: number | null;
}

export interface IAccount {
  name: string;
  qos: string[];
  is_default: boolean;
}

export interface IScheduler {
  name: string;
  is_default: boolean;
  version: string;
  problem: string | null;
  partitions: IPartition[];
  accounts: IAccount[];
  qos: string[];
  infiniband: string[];
}

/** One field of the form, as JSON Schema has it. */
export interface IField {
  type: string;
  title?: string;
  description?: string;
  minimum?: number;
  maximum?: number;
  enum?: string[];
  pattern?: string;
  examples?: string[];
  /** Whether its description counts what is idle, which grows old. */
  idle?: boolean;
}

export interface ISchema {
  type: 'object';
  properties: { [name: string]: IField };
  [key: string]: unknown;
}

export interface IOptions {
  schedulers: IScheduler[];
  engines: string[];
  default_engine: string;
  limits: { max_nodes: number | null; max_time_minutes: number | null };
  currency: string;
  priced: boolean;
  schema: ISchema;
  ui: { groups: { title: string; fields: string[] }[] };
  defaults: IRequest;
  age_s: number;
}

export interface IProblem {
  field: string;
  message: string;
  hint: string;
}

export interface ICost {
  amount: number;
  unit: string;
  billing: number;
  hours: number;
}

export interface IPlan {
  request: IRequest;
  command: string | null;
  script: string | null;
  engine: string | null;
  scheduler: string | null;
  resources: { [name: string]: unknown };
  reasons: string[];
  problems: IProblem[];
  expected_start: string | null;
  expected_start_source: string | null;
  cost: ICost | null;
  image_on_cluster: boolean;
}

/** An environment definition file: its text, with what messages call it, or where it is on the server. */
export type IEdfSource = { text: string; name: string } | { path: string };

/** What an environment definition file asks for, or why that is not understood. */
export interface IEdf {
  request: IRequest | null;
  notes: string[];
  problem: IProblem | null;
}

/** A request that is kept as a kernelspec. */
export interface IKept {
  name: string;
  display_name: string;
  saved: boolean;
  request: IRequest;
  created: string | null;
}

export type State = 'fetching' | 'submitting' | 'pending' | 'starting' | 'running' | 'ended' | 'gone';

/** What a kernel has registered by `%hpcctr`; in the state "none" only `restore` counts. */
export interface ICheckpoint {
  state: 'none' | 'registered' | 'due' | 'running' | 'done' | 'failed';
  runs: string | null;
  before_s: number | null;
  at: string | null;
  error: string;
  /** Null where nothing was said, empty where it was taken back. */
  restore: string | null;
}

export interface IJob {
  id: string;
  kernel_id: string;
  kernel_name: string;
  /** null where this server has the kernel; else what the process that has it is called, '' where none has. */
  owner: string | null;
  notebook: string | null;
  state: State;
  message: string;
  reason: string;
  scheduler: string;
  engine: string;
  image: string;
  digest: string;
  job: string | null;
  nodes: string;
  resources: { [name: string]: unknown };
  request: IRequest;
  expected_start: string | null;
  submitted: string;
  ends: string | null;
  time_limit_minutes: number | null;
  phases: { [name: string]: number };
  reasons: string[];
  fetch: IFetch | null;
  error: { stage: string; message: string; hint: string } | null;
  ending: string | null;
  checkpoint: ICheckpoint | null;
  seq: number;
}

export interface IJobs {
  jobs: IJob[];
  seq: number;
  now: string;
}

export interface ILog {
  text: string;
  next_offset: number;
  ended: boolean;
}

/** How far an image is that is being fetched: bytes of the step, and estimated seconds until the image is there. */
export interface IFetch {
  step: string;
  done: number | null;
  total: number | null;
  left_s: number | null;
}

export interface IPull extends IFetch {
  reference: string;
  state: 'running' | 'done' | 'failed' | 'cancelled';
  message: string;
}

/** The last execution of a cell. */
export interface ICell {
  cell: string;
  msg_id: string;
  state: 'running' | 'ended';
  status: string;
  started: string | null;
  ended: string | null;
  changed: string;
  execution_count: number | null;
  bytes: number;
  missing_bytes: number;
}

export interface ICellOutputs extends ICell {
  outputs: { [key: string]: unknown }[];
  displays: (string | null)[];
  recent: string[];
  reply: { [key: string]: unknown } | null;
}
