/** Errors of the server as sentences; no JupyterLab in here. */

/** What the server answered instead of what was asked for. */
export class Failure extends Error {
  constructor(
    message: string,
    readonly status = 0,
    readonly hint = '',
    readonly field = '',
    readonly transient = false
  ) {
    super(message);
    this.name = 'Failure';
  }

  /** The message and what to do about it. */
  get sentence(): string {
    return this.hint ? `${this.message} – ${this.hint}` : this.message;
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Make an error of an answer that is not 2xx: ours are JSON, those of a proxy may be anything. */
export function failureFrom(status: number, statusText: string, body: string): Failure {
  let said: { [name: string]: unknown } = {};
  try {
    const parsed: unknown = JSON.parse(body);
    said = typeof parsed === 'object' && parsed !== null ? (parsed as typeof said) : {};
  } catch {
    // a page of HTML helps nobody
  }
  const message = text(said.message) || `${status} ${statusText}`.trim();
  return new Failure(message, status, text(said.hint), text(said.field), said.transient === true);
}

/** The sentence for anything that was thrown. */
export function sentence(error: unknown): string {
  return error instanceof Failure ? error.sentence : error instanceof Error ? error.message : String(error);
}
