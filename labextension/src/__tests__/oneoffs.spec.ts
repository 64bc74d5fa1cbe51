import { ISessionContext, SessionContextDialogs } from '@jupyterlab/apputils';
import { hideOneOffs } from '../oneoffs';

const spec = (name: string, display_name: string, hpcctr?: object) => ({
  name,
  display_name,
  language: 'python',
  argv: [],
  resources: {},
  metadata: { hpcctr }
});
const kernelspecs = {
  python3: spec('python3', 'Python 3 (ipykernel)'),
  mine: spec('mine', 'Mine', { saved: true }),
  once: spec('once', 'pyhton-mpi:1 on 1 node', { saved: false }),
  again: spec('again', 'pyhton-mpi:1 on 1 node', { saved: false })
};

function context(own?: string): ISessionContext {
  const named = own ? (kernelspecs as { [name: string]: { display_name: string } })[own].display_name : 'No Kernel';
  return {
    kernelPreference: { language: 'python', name: own },
    kernelDisplayName: named,
    hasNoKernel: !own,
    specsManager: { specs: { default: 'python3', kernelspecs } },
    sessionManager: { running: () => [] },
    kernelManager: { running: () => [] },
    session: null
  } as unknown as ISessionContext;
}

describe('Select Kernel', () => {
  const dialogs = { kernelOptions: SessionContextDialogs.kernelOptions };
  hideOneOffs(dialogs);
  const offered = (own?: string) => dialogs.kernelOptions(context(own)).groups.flatMap(group => group.options);
  const names = (own?: string) => offered(own).map(each => (JSON.parse(each.value) as { name?: string } | null)?.name);

  it('offers no kernel that was made for one start, so that none is preselected', () => {
    expect(names()).toEqual(['mine', 'python3', undefined]);
  });

  it('offers a notebook its own, and selects it among others of the same title', () => {
    expect(names('again')).toEqual(['mine', 'again', 'python3', undefined]);
    expect(offered('again').filter(each => each.selected).map(each => each.value)).toEqual(['{"name":"again"}']);
  });
});
