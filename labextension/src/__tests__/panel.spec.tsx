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
const owner = {};
const changed = new Signal<object, void>(owner);
const refresh = jest.fn(async () => undefined);
const jobs = {
  all: [] as IJob[],
  get: (id: string) => jobs.all.find(each => each.id === id),
  ...{ changed, loaded: true, problem: '', now: () => 0, refresh }
};
const context = { jobs, trans, app: { commands: { execute } }, api: { remove } } as unknown as IContext;
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
