import { ReactWidget } from '@jupyterlab/ui-components';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import { IContext } from '../context';
import { jobList } from '../panel/panel';
import { IJob } from '../types';
import { job, trans } from './samples';
import { until } from './until';

const execute = jest.fn();
const remove = jest.fn(async () => undefined);
const taken = job({ notebook: null });
const take = jest.fn(async () => taken);
const sessions = { refreshRunning: jest.fn(async () => undefined) };
const owner = {};
const changed = new Signal<object, void>(owner);
const refresh = jest.fn(async () => undefined);
const jobs = {
  all: [] as IJob[],
  get: (id: string) => jobs.all.find(each => each.id === id),
  ...{ changed, loaded: true, problem: '', now: () => 0, refresh }
};
const app = { commands: { execute }, serviceManager: { sessions } };
const context = { jobs, trans, app, api: { remove, take } } as unknown as IContext;
let shown: ReactWidget;

async function show(all: IJob[]): Promise<HTMLElement[]> {
  jobs.all = all;
  shown = jobList(context);
  Widget.attach(shown, document.body);
  await shown.renderPromise;
  return [...shown.node.querySelectorAll<HTMLElement>('li')];
}

const buttons = (row: HTMLElement) => [...row.querySelectorAll('button')].map(each => each.textContent);

const dialog = () => until(() => document.querySelector<HTMLElement>('.jp-Dialog'));

afterEach(() => {
  shown.dispose();
  jest.clearAllMocks();
});

describe('the list of jobs', () => {
  it('says of each what there is to know, and offers what can be done', async () => {
    const failed = { stage: 'start', message: 'The kernel ended', hint: 'see the log' };
    const rows = await show([
      job({ reason: 'Priority' }),
      job({ id: 'b', state: 'ended', ending: 'FAILED', error: failed })
    ]);
    expect(rows[0].textContent).toContain('Pending (Priority)');
    expect(buttons(rows[0])).toEqual(['Cancel job', 'Restart', 'Log', 'Open notebook']);
    expect(rows[1].textContent).toContain('The kernel ended see the log');
    expect(buttons(rows[1])).toEqual(['Restart', 'Log', 'Open notebook', 'Remove']);
  });

  it('says that there is none', async () => {
    expect(await show([])).toEqual([]);
    expect(shown.node.textContent).toContain('No jobs.');
  });

  it('asks before it cancels', async () => {
    const [row] = await show([job()]);
    row.querySelector('button')?.click();
    const [no, yes] = (await dialog()).querySelectorAll<HTMLElement>('.jp-Dialog-footer button');
    expect([no.textContent, yes.textContent]).toEqual(['Keep it', 'Cancel job']);
    expect(remove).not.toHaveBeenCalled();
    yes.click();
    await until(() => remove.mock.calls.length);
    expect(remove.mock.calls).toEqual([['a']]);
  });

  it('says whose a kernel elsewhere is, and asks before it is taken from its process', async () => {
    const [row] = await show([job({ state: 'running', owner: 'the Jupyter server 7 on login1' })]);
    expect(row.textContent).toContain('Kernel of the Jupyter server 7 on login1');
    expect(buttons(row)).toEqual(['Cancel job', 'Take over', 'Log']);
    row.querySelectorAll('button')[1].click();
    const asked = await dialog();
    expect(asked.textContent).toContain('The Jupyter server 7 on login1 has this kernel and will lose it');
    expect(take).not.toHaveBeenCalled();
    asked.querySelectorAll<HTMLElement>('.jp-Dialog-footer button')[1].click();
    await until(() => sessions.refreshRunning.mock.calls.length);
    expect(take.mock.calls).toEqual([['a', true]]);
  });

  it('takes a kernel that nobody has without a question', async () => {
    const [row] = await show([job({ state: 'running', owner: '', notebook: null, image: '' })]);
    expect(row.textContent).toContain('Nobody has this kernel');
    expect(row.querySelector('.jp-Hpcctr-jobTitle')?.textContent).toBe('hpcctr-0');
    row.querySelectorAll('button')[1].click();
    await until(() => sessions.refreshRunning.mock.calls.length);
    expect(take.mock.calls).toEqual([['a', false]]);
    expect(document.querySelector('.jp-Dialog')).toBeNull();
  });

  it('lets an ended job elsewhere be looked at and removed from the list only', async () => {
    const [row] = await show([job({ state: 'ended', owner: '' })]);
    expect(buttons(row)).toEqual(['Log', 'Remove']);
  });

  it('shows a log, and takes what has ended out of the list', async () => {
    const [row] = await show([job({ state: 'ended' })]);
    const [, log, , gone] = row.querySelectorAll('button');
    log.click();
    expect(execute).toHaveBeenCalledWith('hpcctr:log', { id: 'a' });
    gone.click();
    await Promise.resolve();
    expect(remove.mock.calls).toEqual([['a']]);
  });
});
