/** Answers of the server as the tests need them. */
import { nullTranslator } from '@jupyterlab/translation';
import { ICheck, IImage, IJob, IOptions, IPlan } from '../types';

export const trans = nullTranslator.load('jupyter_hpcctr');

export function job(changes: Partial<IJob> = {}): IJob {
  return {
    id: 'a',
    kernel_id: 'k',
    kernel_name: 'hpcctr-0',
    owner: null,
    notebook: 'pi.ipynb',
    state: 'pending',
    message: '',
    reason: '',
    scheduler: 'slurm',
    engine: 'charliecloud',
    image: 'registry.example.org/pi:1',
    digest: 'sha256:' + '0'.repeat(64),
    job: '12',
    nodes: '',
    resources: {},
    request: { image: 'registry.example.org/pi:1', nodes: 2, env: { TOKEN: 'secret' } },
    expected_start: null,
    submitted: '2026-03-02T09:00:00Z',
    ends: null,
    time_limit_minutes: 60,
    phases: {},
    reasons: [],
    fetch: null,
    error: null,
    ending: null,
    checkpoint: null,
    seq: 1,
    ...changes
  };
}

export function image(changes: Partial<IImage> = {}): IImage {
  const known = { digest: 'sha256:' + '1'.repeat(64), size_bytes: 2_000_000, created: null, on_cluster: true };
  return {
    reference: 'registry.example.org/pi:1',
    title: 'Pi',
    description: 'Python with Open MPI',
    ...known,
    sources: ['catalogue'],
    kernels: ['ipykernel 7.4.0'],
    badges: [{ kind: 'mpi', text: 'Open MPI 4.1.4' }],
    ...changes
  };
}

export function check(changes: Partial<ICheck> = {}): ICheck {
  return { reference: '', found: true, size_bytes: null, message: '', hint: '', near: [], ...changes };
}

const slow = {
  name: 'slow',
  is_default: true,
  is_up: true,
  nodes_total: 4,
  nodes_idle: 1,
  cpus_per_node: 8,
  cpus_idle: 12,
  mem_mb_per_node: 16000,
  gpus: [],
  features: ['ib_hdr'],
  time_limit_minutes: 120,
  max_nodes: 3
};

const fast = {
  ...slow,
  name: 'fast',
  is_default: false,
  gpus: [{ type: 'a100', per_node: 4, idle: 3 }],
  features: [],
  max_nodes: null
};

export const options: IOptions = {
  schedulers: [
    {
      name: 'slurm',
      is_default: true,
      version: '22.05',
      problem: null,
      partitions: [slow, fast],
      accounts: [{ name: 'phys', qos: ['long'], is_default: true }],
      qos: ['long', 'short'],
      infiniband: ['ib_hdr']
    },
    {
      name: 'local',
      is_default: false,
      version: '',
      problem: null,
      partitions: [],
      accounts: [],
      qos: [],
      infiniband: []
    }
  ],
  engines: ['charliecloud'],
  default_engine: 'charliecloud',
  limits: { max_nodes: null, max_time_minutes: null },
  currency: 'EUR',
  priced: true,
  schema: {
    type: 'object',
    properties: {
      partition: { type: 'string', title: 'Partition', enum: ['slow', 'fast'] },
      nodes: { type: 'integer', title: 'Nodes', minimum: 1, maximum: 8 },
      gpus_per_node: { type: 'integer', title: 'GPUs per node', minimum: 0, maximum: 4 },
      gpu_type: { type: 'string', title: 'GPU type', enum: ['a100'] },
      constraint: { type: 'string', title: 'InfiniBand', enum: ['ib_hdr'] },
      account: { type: 'string', title: 'Account', enum: ['phys'] },
      qos: { type: 'string', title: 'Quality of service', enum: ['long', 'short'] },
      time: { type: 'string', title: 'Time limit', pattern: '^[0-9:]+$', examples: ['1:00:00', '30'] }
    }
  },
  ui: {
    groups: [
      { title: 'Simple', fields: ['partition', 'nodes', 'gpus_per_node', 'time'] },
      { title: 'Advanced', fields: ['gpu_type', 'constraint', 'account', 'qos'] }
    ]
  },
  defaults: { scheduler: 'slurm', partition: 'slow', nodes: 1, time: '1:00:00' },
  age_s: 0
};

export function plan(changes: Partial<IPlan> = {}): IPlan {
  return {
    request: {},
    command: 'sbatch --nodes=2',
    script: '#!/bin/sh',
    engine: 'charliecloud',
    scheduler: 'slurm',
    resources: {},
    reasons: ['the site’s engine was taken'],
    problems: [],
    expected_start: null,
    expected_start_source: null,
    cost: { amount: 2.4, unit: 'EUR', billing: 2, hours: 1 },
    image_on_cluster: true,
    ...changes
  };
}
