/** Answers of the server as the tests need them. */
import { nullTranslator } from '@jupyterlab/translation';
import * as forms from './forms.json';
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

/** What the server says of the site in tests/support/forms.py. */
export const options = { ...forms.options, age_s: 0 } as unknown as IOptions;
export const defaults = options.schedulers[0].form.defaults;

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
