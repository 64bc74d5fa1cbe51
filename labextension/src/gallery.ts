/** The list of images: what is shown for a text, and where the keys lead. No JupyterLab in here. */
import { IImage } from './types';

/** The images with a text in their name, title or description; where it is in none, those with all its words. */
export function matching(images: IImage[], text: string): IImage[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const all = images.map(image => `${image.reference} ${image.title} ${image.description}`.toLowerCase());
  const literal = images.filter((_, n) => all[n].includes(words.join(' ')));
  return literal.length ? literal : images.filter((_, n) => words.every(word => all[n].includes(word)));
}

/** Add what registries have to what is known already. */
export function merged(known: IImage[], found: IImage[]): IImage[] {
  const names = new Set(known.map(image => image.reference));
  return [...known, ...found.filter(image => !names.has(image.reference))];
}

/** An image that is in no list: from a notebook, or typed. */
export function unlisted(reference: string): IImage {
  const blank = { title: '', description: '', digest: '', size_bytes: null, created: null, on_cluster: false };
  return { reference, ...blank, sources: [], kernels: [], badges: [] };
}

/** Whether a text may be an image's name rather than words to search for. */
export function isReference(text: string): boolean {
  const file = /^(oci|oci-archive|docker-archive):\S+$/;
  const remote = /^[\w.-]+(:\d+)?(\/[\w.-]+)+(:[\w.-]+)?(@sha256:[0-9a-f]{64})?$/;
  return file.test(text.trim()) || remote.test(text.trim());
}

/** The images for a text: matching ones, the chosen one if there is no text, the text itself if it may be a name. */
export function shownFor(images: IImage[], text: string, chosen: string | undefined): IImage[] {
  const shown = matching(images, text);
  const typed = text.trim();
  if (isReference(typed) && !shown.some(image => image.reference === typed)) {
    shown.push(unlisted(typed));
  }
  if (!typed && chosen && !shown.some(image => image.reference === chosen)) {
    shown.unshift(unlisted(chosen));
  }
  return shown;
}

/** The chosen image where a search hides it, else null. */
export function hiddenChoice(images: IImage[], text: string, chosen: string | undefined): IImage | null {
  if (!chosen || shownFor(images, text, chosen).some(image => image.reference === chosen)) {
    return null;
  }
  return images.find(image => image.reference === chosen) ?? unlisted(chosen);
}

/** The index that a key leads to, or null for keys that are not ours. */
export function moved(key: string, index: number, count: number): number | null {
  const steps: { [key: string]: number } = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };
  if (!count) {
    return null;
  }
  if (key in steps) {
    return index < 0 ? 0 : Math.min(count - 1, Math.max(0, index + steps[key]));
  }
  return null;
}
