import { Failure } from '../failure';
import { api, button, contents, fill, labelled, one, option, props, show, tidyUp } from './pickers';
import { defaults, image, options } from './samples';
import { until } from './until';

afterEach(tidyUp);

describe('what the picker is used for', () => {
  it('saves an environment under a name', async () => {
    show({ initial: { image: image().reference } });
    (await until(() => button('Save as environment'))).click();
    fill((await until(() => labelled('Name of the environment'))) as HTMLInputElement, 'Mine');
    button('Save').click();
    await until(() => props.saved.mock.calls.length);
    expect((api.keep.mock.calls as unknown[][])[0][1]).toBe('Mine');
  });

  it('is filled from a file on the server, and says what it has no field for', async () => {
    const request = { image: 'r.example.org/far:1', nodes: 2, env: { A: '1' }, workdir: '/w' };
    api.readEdf.mockResolvedValueOnce({ request, notes: ['x-other is left out'], problem: null });
    show();
    (await until(() => button('EDF file…'))).click();
    fill((await until(() => labelled('File on the server'))) as HTMLInputElement, ' tool.toml ');
    button('Open EDF').click();
    const said = await until(() => one('.jp-Hpcctr-said')?.textContent);
    const unseen = 'It also sets what has no field here: env, workdir.';
    expect(said).toBe(`tool.toml fills the form. ${unseen} x-other is left out`);
    expect(api.readEdf.mock.calls).toEqual([[{ path: 'tool.toml' }]]);
    expect(labelled('File on the server')).toBeFalsy();
    await until(() => option('Far')?.getAttribute('aria-selected') === 'true');
    button('Start').click();
    await until(() => api.keep.mock.calls.length);
    expect((api.keep.mock.calls as unknown[][])[0][0]).toEqual({ ...defaults, ...request });
  });

  it('says in which line a file is wrong, and stays as it was', async () => {
    const problem = { field: 'nodes', message: 'tool.toml, line 3: nodes must be a number', hint: 'write 2' };
    api.readEdf.mockResolvedValueOnce({ request: null, notes: [], problem });
    show({ initial: { image: image().reference } });
    (await until(() => button('EDF file…'))).click();
    (await until(() => button('Open EDF'))).click();
    const alert = await until(() => one('.jp-Hpcctr-edf [role=alert]'));
    expect(alert?.textContent).toBe('tool.toml, line 3: nodes must be a number – write 2');
    expect(option('Pi')?.getAttribute('aria-selected')).toBe('true');
  });

  it('writes a file on the server where there is none yet', async () => {
    const missing = Object.assign(new Error('no such file'), { response: { status: 404 } });
    contents.get.mockResolvedValueOnce({}).mockRejectedValueOnce(missing);
    show({ initial: { image: image().reference, nodes: 2 } });
    (await until(() => button('EDF file…'))).click();
    fill((await until(() => labelled('File on the server'))) as HTMLInputElement, 'tool.toml');
    button('Save as EDF').click();
    await until(() => one('.jp-Hpcctr-edf [role=alert]')?.textContent?.includes('There is a file tool.toml already'));
    expect(contents.save).not.toHaveBeenCalled();
    button('Save as EDF').click();
    await until(() => one('.jp-Hpcctr-said')?.textContent === 'tool.toml is written.');
    expect(contents.save.mock.calls).toEqual([
      ['tool.toml', { type: 'file', format: 'text', content: 'nodes = 2' }]
    ]);
  });

  it('has the fields of the scheduler that is chosen', async () => {
    show({ initial: { image: image().reference } });
    const chosen = (await until(() => labelled('Scheduler'))) as unknown as HTMLSelectElement;
    expect(labelled('Partition')).toBeTruthy();
    Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, 'value')?.set?.call(chosen, '1');
    chosen.dispatchEvent(new Event('change', { bubbles: true }));
    await until(() => !labelled('Partition') && labelled('Nodes'));
    await until(() => one('.jp-Hpcctr-preview[aria-busy=false]'));
    button('Start').click();
    await until(() => api.keep.mock.calls.length);
    const local = options.schedulers[1].form.defaults;
    expect((api.keep.mock.calls as unknown[][])[0][0]).toEqual({ ...local, image: image().reference });
  });

  it('says that the site has another configuration by now', async () => {
    const changed = { at: '2026-03-02T13:05:00Z', settings: ['max_nodes'], message: 'It has changed', hint: 'restart' };
    api.options.mockResolvedValueOnce({ ...options, changed }).mockResolvedValueOnce({ ...options, changed });
    show();
    await until(() => one('.jp-Hpcctr-notice[role=status]')?.textContent === 'It has changed – restart');
  });

  it('copies what the server writes, and says what cannot be copied', async () => {
    const writeText = jest.fn(async () => undefined);
    Object.defineProperty(navigator, 'clipboard', { value: { writeText }, configurable: true });
    show({ initial: { image: image().reference } });
    (await until(() => button('Copy as kernelspec'))).click();
    await until(() => one('.jp-Hpcctr-said')?.textContent === 'Copied.');
    expect(writeText.mock.calls).toEqual([['{}']]);
    expect(api.copies.mock.calls).toEqual([[{ ...defaults, image: image().reference }, 'Pi']]);
    button('Copy as command').click();
    await until(() => one('.jp-Hpcctr-said')?.textContent?.includes('has no option for all that is asked for'));
    api.copies.mockRejectedValueOnce(new Failure('nodes must be a number', 400));
    button('Copy as kernelspec').click();
    await until(() => one('.jp-Hpcctr-said')?.textContent === 'nodes must be a number');
    expect(writeText).toHaveBeenCalledTimes(1);
  });
});
