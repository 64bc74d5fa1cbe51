import { LauncherModel } from '@jupyterlab/launcher';
import { Environments } from '../environments';
import { IContext } from '../context';

const kept = (name: string, saved: boolean) => ({ name, display_name: name, saved, request: {}, created: null });
const command = 'notebook:create-new';
const add = (launcher: LauncherModel, name: string, hpcctr?: object) =>
  launcher.add({ command, args: { kernelName: name }, metadata: { kernel: { hpcctr } as never } });
const shown = (launcher: LauncherModel) => [...launcher.items()].map(item => item.args?.kernelName ?? item.command);

describe('the launcher', () => {
  it('has a card for the form and each saved environment, and none for what was made for one start', async () => {
    const api = { kept: jest.fn(async () => [kept('mine', true), kept('once', false)]) };
    const launcher = new LauncherModel();
    add(launcher, 'python3');
    add(launcher, 'once', { saved: false });
    const environments = new Environments({ api } as unknown as IContext, launcher);
    await environments.refresh();
    add(launcher, 'mine', { saved: true });
    expect(shown(launcher)).toEqual(['python3', 'hpcctr:new', 'mine', 'mine']);
    api.kept.mockResolvedValueOnce([]);
    await environments.refresh();
    expect(shown(launcher)).toEqual(['python3', 'hpcctr:new', 'mine']);
    api.kept.mockRejectedValueOnce(new Error('down') as never);
    await environments.refresh();
  });
});
