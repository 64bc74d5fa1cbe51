import { ILauncher } from '@jupyterlab/launcher';
import { DisposableSet } from '@lumino/disposable';
import { IContext, NEW } from './context';
import { IKept } from './types';

const CATEGORY = 'HPC';

/** JupyterLab has a card for each kernelspec; those that the form has made for one start would be in the way. */
export function withoutOneOffs(launcher: ILauncher): void {
  const model = launcher as Partial<ILauncher.IModel>;
  const items = model.items?.bind(launcher);
  if (items) {
    model.items = () => [...items()].filter(isShown)[Symbol.iterator]();
  }
}

function isShown(item: ILauncher.IItemOptions): boolean {
  const kernel = item.metadata?.kernel as { hpcctr?: { saved?: boolean } } | undefined;
  return kernel?.hpcctr?.saved !== false;
}

/** Cards of the launcher: one that opens the form, and one for each saved environment. */
export class Environments {
  constructor(
    private context: IContext,
    private launcher: ILauncher
  ) {
    withoutOneOffs(launcher);
    launcher.add({ command: NEW, args: { isLauncher: true }, category: CATEGORY, rank: 0 });
  }

  /** Read the saved environments, and show their cards. */
  async refresh(): Promise<void> {
    const kept = await this.context.api.kept().catch(() => null);
    if (kept === null) {
      return; // the jobs' panel says that the server does not answer
    }
    const saved = kept.filter(each => each.saved);
    const words = JSON.stringify(saved.map(each => [each.name, each.display_name]));
    if (words !== this.shown) {
      this.shown = words;
      this.cards.dispose();
      this.cards = new DisposableSet();
      saved.forEach((each, rank) => this.cards.add(this.card(each, rank + 1)));
    }
  }

  // The card is JupyterLab's own for a kernelspec: a click starts it in a new notebook.
  private card(kept: IKept, rank: number) {
    const command = 'notebook:create-new';
    const args = { isLauncher: true, kernelName: kept.name };
    return this.launcher.add({ command, args, category: CATEGORY, rank });
  }

  private cards = new DisposableSet();
  private shown = '';
}
