/** What a notebook keeps of its container, and when its job's end is near. No JupyterLab in here. */
import { JSONExt, ReadonlyPartialJSONValue } from '@lumino/coreutils';
import { harmless } from './fields';
import { minutesLeft } from './format';
import { IImage, IJob, IRequest } from './types';

export const KEY = 'hpcctr';

/** The notebook's metadata under our key. */
export interface INote {
  version: 1;
  image: { reference: string; digest: string };
  request: IRequest;
  /** Code that is to run first in a new job; nothing but a question that shows it leads to that. */
  restore?: string;
}

/**
 * What is written into a notebook: the image and the resources, no environment, no mounts.
 *
 * The code that restores stays as it is in the notebook's present note, `raw`, until the kernel says something of it.
 */
export function noteOf(job: IJob, raw?: unknown): INote | null {
  if (!job.image || !job.request.image) {
    return null;
  }
  const image = { reference: job.image, digest: job.digest };
  const restore = restoreCode(job, raw);
  return { version: 1, image, request: harmless(job.request), ...(restore ? { restore } : {}) };
}

/** The code that is to run first in a new job: as the kernel says, else as the notebook keeps it; "" for none. */
export function restoreCode(job: IJob, raw?: unknown): string {
  const kept = (raw as Partial<INote> | null | undefined)?.restore;
  return job.checkpoint?.restore ?? (typeof kept === 'string' ? kept : '');
}

/** Whether a notebook has a note already; what was saved has its keys in another order. */
export function isNoted(note: INote, raw: unknown): boolean {
  const json = (value: unknown) => (value ?? null) as ReadonlyPartialJSONValue;
  return JSONExt.deepEqual(json(note), json(raw));
}

/** Read what a notebook brings; null for anything that is not ours. */
export function readNote(raw: unknown): INote | null {
  const given = raw as Partial<INote> | null | undefined;
  const reference = given?.image?.reference;
  if (typeof given !== 'object' || given?.version !== 1 || typeof reference !== 'string' || !reference) {
    return null;
  }
  const digest = given.image?.digest;
  const kept = { reference, digest: typeof digest === 'string' ? digest : '' };
  return { version: 1, image: kept, request: { ...harmless(given.request), image: reference } };
}

/** The reference of the very image that a note names: by tag where that is the same one here, else by digest. */
export function sameImage(note: INote, images: IImage[]): string {
  const { reference, digest } = note.image;
  const here = images.find(each => each.reference === reference);
  if (!/^sha256:[0-9a-f]{64}$/.test(digest) || here?.digest === digest || reference.includes('@')) {
    return reference;
  }
  const name = reference.replace(/:[^/:]*$/, '');
  return /^[\w.-]+(:\d+)?(\/[\w.-]+)+$/.test(name) ? `${name}@${digest}` : reference;
}

export interface IWarning {
  job: IJob;
  /** Whole minutes that are left, rounded up. */
  minutes: number;
}

/** Tells of each job once for each of some moments before its end. */
export class Limits {
  private told = new Map<string, number>();

  /** Those that are to be told of now. */
  due(jobs: IJob[], minutes: number[], now: number): IWarning[] {
    const found: IWarning[] = [];
    for (const job of jobs) {
      const left = minutesLeft(job, now);
      const mark = this.mark(job, minutes, left);
      if (left !== null && left > 0 && mark !== null && mark < (this.told.get(this.key(job)) ?? Infinity)) {
        this.told.set(this.key(job), mark);
        found.push({ job, minutes: Math.ceil(left) });
      }
    }
    return found;
  }

  /** Milliseconds until there may be something to tell, or null. */
  next(jobs: IJob[], minutes: number[], now: number): number | null {
    const waits: number[] = [];
    for (const job of jobs) {
      const left = minutesLeft(job, now);
      if (left !== null) {
        waits.push(...minutes.filter(each => each < left && this.fits(job, each)).map(each => (left - each) * 60000));
      }
    }
    return waits.length ? Math.min(...waits) : null;
  }

  private key(job: IJob): string {
    return `${job.id} ${job.job}`;
  }

  // A limit of ten minutes is not warned about fifteen minutes before.
  private fits(job: IJob, minutes: number): boolean {
    return job.time_limit_minutes === null || minutes < job.time_limit_minutes;
  }

  private mark(job: IJob, minutes: number[], left: number | null): number | null {
    const passed = minutes.filter(each => left !== null && left <= each && this.fits(job, each));
    return passed.length ? Math.min(...passed) : null;
  }
}
