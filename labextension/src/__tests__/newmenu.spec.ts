import { IToolbarWidgetRegistry } from '@jupyterlab/apputils';
import { KernelSpec } from '@jupyterlab/services';
import { CommandRegistry } from '@lumino/commands';
import { Signal } from '@lumino/signaling';
import { Menu, MenuBar, Widget } from '@lumino/widgets';
import { wrapNew } from '../newmenu';

type Factory = (main: Widget) => Widget;

function kernelspecs(names: { [name: string]: boolean | undefined }) {
  const specs = { kernelspecs: {} as { [name: string]: object } };
  const put = (more: typeof names) =>
    Object.entries(more).forEach(([name, saved]) => (specs.kernelspecs[name] = { metadata: { hpcctr: { saved } } }));
  put(names);
  const manager = { specs } as unknown as KernelSpec.IManager;
  const specsChanged = new Signal(manager);
  Object.assign(manager, { specsChanged });
  return { manager, add: (more: typeof names) => (put(more), specsChanged.emit(specs as never)) };
}

describe('the menu "New" of Notebook 7', () => {
  const { manager, add } = kernelspecs({ python3: undefined, mine: true, once: false });
  const commands = new CommandRegistry();
  const menu = new Menu({ commands });
  const fill = () => {
    menu.clearItems();
    const names = Object.keys(manager.specs?.kernelspecs ?? {});
    names.forEach(kernelName => menu.addItem({ command: 'notebook:create-new', args: { kernelName } }));
    menu.addItem({ command: 'console:create' });
  };
  fill();
  manager.specsChanged.connect(fill);
  let factory: Factory = () => {
    const bar = new MenuBar();
    bar.addMenu(menu);
    return bar;
  };
  let made: Widget | null = null;
  const registry = {
    addFactory: (_: string, __: string, other: Factory) => {
      const before = factory;
      factory = other;
      made = factory(new Widget()); // as a toolbar that is there already does
      return before;
    }
  } as unknown as IToolbarWidgetRegistry;
  wrapNew(registry, manager);
  const names = () => menu.items.map(item => item.args.kernelName ?? item.command);

  it('has no kernel that was made for one start', () => {
    expect(names()).toEqual(['python3', 'mine', 'console:create']);
    expect(made).toBeInstanceOf(MenuBar);
  });

  it('has none that was made since the page was opened', () => {
    add({ again: false, two: true });
    expect(names()).toEqual(['python3', 'mine', 'two', 'console:create']);
  });
});
