/** Words for numbers and states; no JupyterLab in here. */
import { isFinal } from './model';
import { IFetch, IJob, State } from './types';

/** Translates a text whose gaps are %1, %2 …; TranslationBundle has this. */
export interface ITrans {
  __(text: string, ...gaps: unknown[]): string;
}

/** "58 min", "3 h 20 min", "2 d 4 h": whole minutes, rounded down. */
export function duration(minutes: number): string {
  const whole = Math.max(0, Math.floor(minutes));
  if (whole < 60) {
    return `${whole} min`;
  }
  const hours = Math.floor(whole / 60);
  if (hours < 24) {
    return whole % 60 ? `${hours} h ${whole % 60} min` : `${hours} h`;
  }
  const days = Math.floor(hours / 24);
  return hours % 24 ? `${days} d ${hours % 24} h` : `${days} d`;
}

/** "1.2 GB". */
export function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 10 && unit ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** The first characters of a digest, as tools show them. */
export function shortDigest(digest: string): string {
  return digest.replace(/^sha256:/, '').slice(0, 12);
}

/** An image's name without its registry and digest, for narrow places. */
export function shortName(reference: string): string {
  return reference.split('@')[0].split('/').pop() || reference;
}

/** A path for narrow places: its last parts, as many as fit, and always the last one. */
export function shortPath(path: string, most = 48): string {
  const parts = path.split('/');
  let kept = parts.pop() ?? '';
  while (parts.length && kept.length + parts[parts.length - 1].length + 3 <= most) {
    kept = `${parts.pop()}/${kept}`;
  }
  return parts.length ? `…/${kept}` : kept;
}

/** A time of today as "14:05", any other with its day, and with the year where that is another. */
export function moment(iso: string, now: Date): string {
  const then = new Date(iso);
  if (isNaN(then.getTime())) {
    return iso;
  }
  const time = then.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  if (then.toDateString() === now.toDateString()) {
    return time;
  }
  const year = then.getFullYear() === now.getFullYear() ? undefined : 'numeric';
  return `${then.toLocaleDateString([], { day: 'numeric', month: 'short', year })} ${time}`;
}

/** Minutes until a job's time limit, or null when it has none or does not run. */
export function minutesLeft(job: IJob, now: number): number | null {
  const ends = job.state === 'running' && job.ends ? Date.parse(job.ends) : NaN;
  return isNaN(ends) ? null : (ends - now) / 60000;
}

/** A state in words. */
export function stateName(state: State, trans: ITrans): string {
  const names: { [state in State]: string } = {
    fetching: trans.__('Fetching image'),
    submitting: trans.__('Submitting'),
    pending: trans.__('Pending'),
    starting: trans.__('Starting'),
    running: trans.__('Running'),
    ended: trans.__('Ended'),
    gone: trans.__('Ended')
  };
  return names[state] ?? state;
}

/** How a job is spoken of: by the scheduler's number once it has one. */
export function jobName(job: IJob, trans: ITrans): string {
  return job.job ? trans.__('job %1', job.job) : trans.__('the job');
}

/** "job 12 of pi.ipynb": which job a question or a warning is about. */
export function fullName(job: IJob, trans: ITrans): string {
  if (!job.notebook) {
    return jobName(job, trans);
  }
  const notebook = shortPath(job.notebook);
  return job.job ? trans.__('job %1 of %2', job.job, notebook) : trans.__('the job of %1', notebook);
}

/** A text with its first letter as a capital, to begin a sentence. */
export function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** Who has a job's kernel, in a sentence; "" if this server has it. */
export function ownerText(job: IJob, trans: ITrans): string {
  if (job.owner === null) {
    return '';
  }
  return job.owner
    ? trans.__('Kernel of %1', job.owner)
    : trans.__('Nobody has this kernel: its server or program is gone. Take it over to continue.');
}

/** How a job ended, in words; "" for one that ended as it was meant to. */
export function endingName(ending: string | null, trans: ITrans): string {
  const names: { [ending: string]: string } = {
    COMPLETED: '',
    FAILED: trans.__('with an error'),
    CANCELLED: trans.__('cancelled'),
    TIMEOUT: trans.__('time limit reached'),
    OUT_OF_MEMORY: trans.__('out of memory'),
    NODE_FAIL: trans.__('its node failed'),
    PREEMPTED: trans.__('preempted'),
    LOST: trans.__('lost')
  };
  return ending === null ? '' : (names[ending] ?? ending.toLowerCase().replace(/_/g, ' '));
}

/** Minutes that are left, as "58 min left". */
export function leftText(minutes: number, trans: ITrans): string {
  return minutes < 1 ? trans.__('less than 1 min left') : trans.__('%1 left', duration(minutes));
}

/** "Running on n1 · 58 min left", "Pending (Resources)", "Ended (time limit reached)". */
export function statusText(job: IJob, now: number, trans: ITrans): string {
  const name = stateName(job.state, trans);
  const left = minutesLeft(job, now);
  if (job.state === 'running') {
    const where = job.nodes ? trans.__('%1 on %2', name, job.nodes) : name;
    return left === null ? where : `${where} · ${leftText(left, trans)}`;
  }
  if (job.state === 'fetching' && job.fetch) {
    return trans.__('%1: %2', name, fetchText(job.fetch, trans, 'fetching'));
  }
  const why = isFinal(job) ? endingName(job.ending, trans) : job.reason;
  return why ? `${name} (${why})` : name;
}

/** "unpacking 120 MB of 300 MB, about 40 s left": how far an image is; a step that is understood is not named. */
export function fetchText(fetch: IFetch, trans: ITrans, understood = ''): string {
  const { step, done, total, left_s: left } = fetch;
  const names: { [step: string]: string } = {
    fetching: trans.__('fetching'),
    unpacking: trans.__('unpacking'),
    flattening: trans.__('writing to the store'),
    waiting: trans.__('waiting for other images')
  };
  const amounts = [done, total].filter((each): each is number => !!each).map(size);
  const about = left === null ? '' : left < 1 ? trans.__('almost done') : trans.__('about %1 left', roughly(left));
  const amount = amounts.join(trans.__(' of '));
  const name = amount && step === understood ? '' : (names[step] ?? step);
  return [[name, amount].filter(Boolean).join(' '), about].filter(Boolean).join(', ');
}

/** An estimate: seconds to the next ten, minutes rounded up. */
function roughly(value: number): string {
  const step = value < 10 ? 1 : 10;
  return value < 95 ? `${Math.ceil(value / step) * step} s` : duration(Math.ceil(value / 60));
}

/** The part of a step that is done, from 0 to 1; undefined where that is not known. */
export function fetchPart(fetch: IFetch): number | undefined {
  return fetch.total ? Math.min(1, (fetch.done ?? 0) / fetch.total) : undefined;
}

/** "9.5 s", "42 s", "3 min". */
export function seconds(value: number): string {
  return value < 100 ? `${value < 9.95 ? value.toFixed(1) : Math.round(value)} s` : duration(value / 60);
}

/** How long each phase of a start took, from the server's seconds to the end of each. */
export function phases(job: IJob, trans: ITrans): string {
  const said = (phase: string, took: string) =>
    ({
      fetched: trans.__('image fetched in %1', took),
      submitted: trans.__('submitted in %1', took),
      queued: trans.__('queued for %1', took),
      'node up': trans.__('job started in %1', took),
      'image ready': trans.__('image opened in %1', took),
      'kernel ready': trans.__('kernel started in %1', took)
    })[phase] ?? `${phase} ${took}`;
  const ends = Object.entries(job.phases).sort((a, b) => a[1] - b[1]);
  const words = ends.map(([name, at], n) => said(name, seconds(at - (n ? ends[n - 1][1] : 0))));
  if (ends.length > 1) {
    words.push(trans.__('%1 in all', seconds(ends[ends.length - 1][1])));
  }
  return words.join(', ');
}

/** "2.40 EUR", "1235 billing hours": rounded up, because it is the most that a job costs. */
export function amount(value: number, unit: string): string {
  const digits = value < 1000 ? 2 : 0;
  return `${(Math.ceil(value * 10 ** digits - 1e-6) / 10 ** digits).toFixed(digits)} ${unit}`;
}
