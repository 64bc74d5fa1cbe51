import { LauncherModel } from '@jupyterlab/launcher';
import { addCard } from '../environments';

const command = 'notebook:create-new';
const add = (launcher: LauncherModel, name: string, hpcctr?: object) =>
  launcher.add({
    command,
    args: { kernelName: name },
    metadata: { kernel: { hpcctr } as never },
    category: 'Notebook'
  });

describe('the launcher', () => {
  it('has the form among the notebooks, a saved environment once, and nothing that was made for one start', () => {
    const launcher = new LauncherModel();
    add(launcher, 'python3');
    add(launcher, 'once', { saved: false });
    addCard(launcher, 'Notebook');
    add(launcher, 'mine', { saved: true });
    const shown = [...launcher.items()].map(item => [item.category, item.args?.kernelName ?? item.command]);
    expect(shown).toEqual([
      ['Notebook', 'python3'],
      ['Notebook', 'hpcctr:new'],
      ['Notebook', 'mine']
    ]);
  });
});
