/** Words for numbers and states; no JupyterLab in here. */
import { IJob, State } from './types';

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
  return job.job ? trans.__('job %1', job.job) : shortName(job.image) || trans.__('job');
}

/** "Running on n1 · 58 min left", "Pending (Resources)". */
export function statusText(job: IJob, now: number, trans: ITrans): string {
  const name = stateName(job.state, trans);
  const left = minutesLeft(job, now);
  if (job.state === 'running') {
    const where = job.nodes ? trans.__('%1 on %2', name, job.nodes) : name;
    return left === null ? where : trans.__('%1 · %2 left', where, duration(left));
  }
  const why = job.state === 'ended' ? job.ending : job.reason;
  return why ? `${name} (${why})` : name;
}

/** "2.40 EUR", "0.5 billing hours"; small amounts keep a digit that says something. */
export function amount(value: number, unit: string): string {
  const digits = value === 0 || value >= 0.01 ? 2 : 4;
  return `${value.toFixed(digits)} ${unit}`;
}

/** The words of a command line, quoted where a shell would split them. */
export function shellWords(words: string[]): string {
  return words.map(word => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replace(/'/g, "'\\''")}'`)).join(' ');
}
