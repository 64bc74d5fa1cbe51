import { Failure } from '../failure';
import { IOptions } from '../types';
import { api, button, fill, hide, labelled, one, option, props, show, told, tidyUp } from './pickers';
import { check, defaults, image, options, plan } from './samples';
import { until } from './until';

afterEach(tidyUp);

describe('the picker', () => {
  it('has a label for each field, the images, and what is wrong with a registry', async () => {
    show();
    await until(() => option('Pi'));
    expect(['Partition', 'Nodes', 'Time limit', 'Account'].filter(name => !labelled(name))).toEqual([]);
    expect(option('Pi')?.textContent).toContain('Open MPI 4.1.4');
    expect(option('Pi')?.textContent).toContain('already on the cluster');
    expect(one('.jp-Hpcctr-found')?.textContent).toContain('down.example.org');
  });

  it('shows what would be submitted, and starts it', async () => {
    show();
    (await until(() => option('Pi'))).click();
    await until(() => one('[aria-labelledby=jp-Hpcctr-preview] code')?.textContent?.includes('sbatch'));
    expect(one('[aria-labelledby=jp-Hpcctr-preview]')?.textContent).toContain('2.40 EUR');
    await until(() => one('.jp-Hpcctr-preview[aria-busy=false]'));
    button('Start').click();
    await until(() => props.start.mock.calls.length);
    expect(api.keep.mock.calls[0]).toEqual([{ ...defaults, image: image().reference }]);
  });

  it('says what is wrong beside the field, and does not start it', async () => {
    show({ initial: { image: image().reference } });
    fill((await until(() => labelled('Nodes'))) as HTMLInputElement, '9');
    const alert = await until(() => one('.jp-Hpcctr-field [role=alert]'));
    expect(alert.textContent).toContain('At most 3.');
    await until(() => one('.jp-Hpcctr-preview[aria-busy=false]'));
    button('Start').click();
    await until(() => document.activeElement === labelled('Nodes'));
    expect(api.keep).not.toHaveBeenCalled();
  });

  it('asks for an image first', async () => {
    show();
    await until(() => one('.jp-Hpcctr-preview[aria-busy=false]'));
    expect(one('.jp-Hpcctr-images [role=alert]')).toBeNull();
    button('Start').click();
    await until(() => one('.jp-Hpcctr-images [role=alert]')?.textContent?.includes('Choose an image'));
    expect(api.keep).not.toHaveBeenCalled();
  });

  it('shows the chosen image when a search hides it, and does not start or save it unseen', async () => {
    show({ initial: { image: image().reference } });
    fill((await until(() => labelled('Search images'))) as HTMLInputElement, 'Far');
    await until(() => !option('Pi') && option('Far'));
    expect(one('[role=status][aria-label="Chosen image"]')?.textContent).toContain('hidden by the search: Pi');
    expect(one('.jp-Hpcctr-images [role=alert]')).toBeNull();
    await until(() => one('.jp-Hpcctr-preview[aria-busy=false]'));
    button('Start').click();
    await until(() => one('.jp-Hpcctr-images [role=alert]')?.textContent?.includes('hides the chosen image'));
    expect(document.activeElement).toBe(labelled('Search images'));
    button('Save as environment').click();
    await until(() => button('Save'));
    button('Save').click();
    (await until(() => button('Clear the search'))).click();
    await until(() => option('Pi')?.getAttribute('aria-selected') === 'true');
    expect(one('.jp-Hpcctr-images [role=alert]')).toBeNull();
    expect(api.keep).not.toHaveBeenCalled();
    button('Start').click();
    await until(() => props.start.mock.calls.length);
  });

  it('says why there is no plan, and why the server refuses', async () => {
    api.plan.mockRejectedValueOnce(new Failure('The scheduler does not answer', 503));
    api.keep.mockRejectedValueOnce(new Failure('No such partition', 403, '', 'partition'));
    show({ initial: { image: image().reference } });
    await until(() => one('.jp-Hpcctr-preview [role=alert]')?.textContent?.includes('does not answer'));
    button('Start').click();
    await until(() => one('.jp-Hpcctr-field [role=alert]')?.textContent?.includes('No such partition'));
    expect(props.start).not.toHaveBeenCalled();
  });

  it('fits what a notebook brings, and says how', async () => {
    api.plan.mockResolvedValueOnce(
      plan({ request: { image: image().reference, nodes: 2, partition: 'slow' }, reasons: ['64 nodes became 2'] })
    );
    const reference = image().reference;
    show({ note: { version: 1, image: { reference, digest: image().digest }, request: { nodes: 64 } } });
    const nodes = await until(() => labelled('Nodes'));
    expect(nodes?.value).toBe('2');
    expect(api.plan.mock.calls[0]).toEqual([{ nodes: 64, image: reference }, true]);
    expect(option('Pi')?.getAttribute('aria-selected')).toBe('true');
    expect(one('[aria-labelledby=jp-Hpcctr-preview]')?.textContent).toContain('64 nodes became 2');
  });

  it('fetches an image that is not on the cluster, and shows how far that is', async () => {
    const reference = 'r.example.org/far:1';
    show({ initial: { image: reference } });
    (await until(() => button('Fetch to the cluster'))).click();
    expect(api.fetchImage.mock.calls).toEqual([[reference]]);
    const nothing = { step: '', done: null, total: null, left_s: null, message: '' };
    told.emit({ ...nothing, reference, state: 'running', step: 'unpacking', done: 2e6, total: 8e6 });
    await until(() => one('.jp-Hpcctr-fetch')?.textContent?.includes('unpacking 2.0 MB of 8.0 MB'));
    expect(one<HTMLProgressElement>('progress')?.value).toBe(0.25);
    button('Cancel fetching').click();
    expect(api.cancelFetch.mock.calls).toEqual([[reference]]);
    told.emit({ ...nothing, reference, state: 'failed', message: 'disk full' });
    await until(() => one('.jp-Hpcctr-fetch .jp-Hpcctr-problem')?.textContent?.includes('disk full'));
    expect(api.fetchImage).toHaveBeenCalledTimes(1);
    api.images.mockResolvedValueOnce({ images: [image({ reference, title: 'Far' })], problems: [] });
    const plans = api.plan.mock.calls.length;
    told.emit({ ...nothing, reference, state: 'done' });
    await until(() => !one('.jp-Hpcctr-fetch') && api.plan.mock.calls.length > plans);
    expect(option('Far')?.textContent).toContain('already on the cluster');
  });

  it('says while it is open that there is no such image, and what is near', async () => {
    const wrong = { found: false, message: 'r.example.org/p1:1: there is no such image', near: [image().reference] };
    api.checkImage.mockResolvedValue(check({ ...wrong, reference: 'r.example.org/p1:1' }));
    show({ initial: { image: 'r.example.org/p1:1' } });
    const alert = await until(() => one('.jp-Hpcctr-images [role=alert]'));
    expect(alert.textContent).toContain('there is no such image');
    await until(() => one('.jp-Hpcctr-preview[aria-busy=false]'));
    button('Start').click();
    await until(() => document.activeElement === labelled('Search images'));
    expect(alert.textContent?.match(/no such image/g)).toHaveLength(1);
    expect(api.keep).not.toHaveBeenCalled();
    button(image().reference).click();
    await until(() => option('Pi')?.getAttribute('aria-selected') === 'true');
    await until(() => !one('.jp-Hpcctr-images [role=alert]'));
  });

  it('does not say of one image what was refused of another', async () => {
    let answer: (said: ReturnType<typeof check>) => void = () => undefined;
    api.checkImage.mockImplementation(() => new Promise(resolve => (answer = resolve)));
    show({ initial: { image: 'r.example.org/p1:1' } });
    (await until(() => button('Start'))).click();
    await until(() => api.checkImage.mock.calls.length);
    (await until(() => option('Pi'))).click();
    await until(() => option('Pi')?.getAttribute('aria-selected') === 'true');
    answer(check({ found: false, message: 'there is no such image', reference: 'r.example.org/p1:1' }));
    await until(() => one('.jp-Hpcctr-preview[aria-busy=false]'));
    await new Promise(resolve => setTimeout(resolve, 50));
    expect(document.body.textContent).not.toContain('there is no such image');
    button('Start').click();
    await until(() => props.start.mock.calls.length);
  });

  it('asks for a name that was just typed before it starts, and remembers only what exists', async () => {
    api.checkImage.mockResolvedValue(check({ found: null, message: 'r.example.org does not answer' }));
    show({ initial: { image: 'r.example.org/new:1' } });
    await until(() => button('Start'));
    button('Start').click();
    await until(() => props.start.mock.calls.length);
    expect(api.checkImage).toHaveBeenCalledWith('r.example.org/new:1');
    expect(props.start.mock.calls[0][1]).toBe(false);
    hide();
    api.checkImage.mockResolvedValue(check({ size_bytes: 312_000_000 }));
    api.plan.mockResolvedValueOnce(plan({ image_on_cluster: false, request: { image: 'r.example.org/far:1' } }));
    show({ initial: { image: 'r.example.org/far:1' } });
    await until(() => one('.jp-Hpcctr-fetch')?.textContent?.includes('312 MB to fetch'));
    await until(() => one('[aria-labelledby=jp-Hpcctr-preview]')?.textContent?.includes('312 MB'));
    button('Start').click();
    await until(() => props.start.mock.calls.length > 1);
    expect(props.start.mock.calls[1][1]).toBe(true);
  });

  it('shows how old the count of idle nodes is, and asks again when it opens', async () => {
    const now = JSON.parse(JSON.stringify(options).replace(/1 of 4 nodes are idle/g, '0 of 4 nodes are idle'));
    api.options.mockResolvedValueOnce({ ...options, age_s: 250 });
    let answer: (fresh: IOptions) => void = () => undefined;
    api.options.mockImplementationOnce(() => new Promise(resolve => (answer = resolve)));
    show();
    const hint = () => one('#hpcctr_partition__description')?.textContent ?? '';
    await until(() => hint().includes('1 of 4 nodes are idle, 12 CPUs (4 min ago)'));
    await until(() => api.options.mock.calls.length > 1);
    expect(api.options.mock.calls).toEqual([[], [true]]);
    answer({ ...now, age_s: 1 });
    await until(() => hint().includes('0 of 4 nodes are idle, 12 CPUs (just now)'));
  });

  it('can be tried again when the server did not answer', async () => {
    api.options.mockRejectedValueOnce(new Failure('Not now', 503));
    show();
    (await until(() => button('Try again'))).click();
    await until(() => option('Pi'));
  });
});
