/** What `look` finds, as soon as it finds something; an error that shows the page where that takes too long. */
export async function until<T>(look: () => T | null | undefined | false): Promise<T> {
  const end = Date.now() + 30_000;
  while (Date.now() < end) {
    const found = look();
    if (found) {
      return found;
    }
    await new Promise(resolve => setTimeout(resolve, 10));
  }
  throw new Error(`not there:\n${document.body.innerHTML.slice(0, 4000)}`);
}
