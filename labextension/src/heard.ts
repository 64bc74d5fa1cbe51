/** Which messages of which executions a page has had. No JupyterLab in here. */

const MOST_IDS = 5000;

/** Knows of each execution whether this page has all that was published, as far as it can know. */
export class Heard {
  /** The ids of the newest messages of an execution that this page has had. */
  of(execution: string): Set<string> {
    let found = this.ids.get(execution);
    if (!found) {
      this.ids.set(execution, (found = new Set()));
    }
    while (found.size > MOST_IDS) {
      found.delete(found.values().next().value as string);
    }
    return found;
  }

  /** Note a message; false where it was there before. */
  add(execution: string, message: string): boolean {
    const ids = this.of(execution);
    const isNew = !ids.has(message);
    ids.add(message);
    return isNew;
  }

  /** An execution has ended; nothing more is expected of it. */
  end(execution: string): void {
    this.ended.add(execution);
    this.ids.delete(execution);
  }

  /** The connection is lost: of what runs now something may be missed, also where the page hears of the end. */
  lose(execution: string): void {
    if (!this.ended.has(execution)) {
      this.cut.add(execution);
    }
  }

  /** What was missed is here. */
  mend(execution: string): void {
    this.cut.delete(execution);
  }

  hasEnded(execution: string): boolean {
    return this.ended.has(execution);
  }

  /** Whether nothing can be missing. */
  isWhole(execution: string): boolean {
    return this.ended.has(execution) && !this.cut.has(execution);
  }

  private ids = new Map<string, Set<string>>();
  private ended = new Set<string>();
  private cut = new Set<string>();
}
