import { ILauncher } from '@jupyterlab/launcher';
import { NEW } from './context';
import { containerCard } from './icons';
import { isOneOff } from './oneoffs';

/** JupyterLab has a card for each kernelspec; those that the form has made for one start would be in the way. */
export function withoutOneOffs(launcher: ILauncher): void {
  const model = launcher as Partial<ILauncher.IModel>;
  const items = model.items?.bind(launcher);
  if (items) {
    model.items = () => [...items()].filter(item => !isOneOff(item.metadata?.kernel))[Symbol.iterator]();
  }
}

/**
 * Add the card that opens the form: among the notebooks, after the usual kernel.
 *
 * Saved environments have the cards that JupyterLab itself gives to each kernelspec.
 */
export function addCard(launcher: ILauncher, category: string): void {
  withoutOneOffs(launcher);
  launcher.add({ command: NEW, args: { isLauncher: true }, category, rank: 1, kernelIconUrl: containerCard });
}
