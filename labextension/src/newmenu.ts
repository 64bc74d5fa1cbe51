import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IToolbarWidgetRegistry } from '@jupyterlab/apputils';
import { KernelSpec } from '@jupyterlab/services';
import { Menu, MenuBar, Widget } from '@lumino/widgets';
import { isOneOff } from './oneoffs';

const TOOLBAR = 'FileBrowser';
const ITEM = 'new-dropdown';

/** Take the kernels that were made for one start out of a menu. */
export function prune(menu: Menu, specs: KernelSpec.ISpecModels | null): void {
  for (const item of [...menu.items]) {
    if (isOneOff(specs?.kernelspecs[String(item.args.kernelName)]?.metadata)) {
      menu.removeItem(item);
    }
  }
}

/** Keep them out of each menu of a button, whenever the kernelspecs change. */
function watch(button: Widget, specs: KernelSpec.IManager): void {
  for (const menu of button instanceof MenuBar ? button.menus : []) {
    // Notebook 7 fills its menu at this signal, to which it was connected before.
    const look = () => prune(menu, specs.specs);
    specs.specsChanged.connect(look);
    button.disposed.connect(() => specs.specsChanged.disconnect(look));
    look();
  }
}

/** Have the button *New* of Notebook 7's list of files made with a menu without them. */
export function wrapNew(registry: IToolbarWidgetRegistry, specs: KernelSpec.IManager): void {
  // A toolbar asks for its button as soon as a factory is there, which is before this one is known.
  const own = registry.addFactory(TOOLBAR, ITEM, () => new Widget());
  registry.addFactory(TOOLBAR, ITEM, (main: Widget) => {
    const button = own ? own(main) : registry.defaultFactory(TOOLBAR, main, { name: ITEM });
    watch(button, specs);
    return button;
  });
}

/** JupyterLab has no such button: this is for Notebook 7 alone. */
export const newMenu: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-hpcctr:new-menu',
  description: 'Leaves kernels that were made for one start out of the menu “New” of Notebook 7.',
  autoStart: true,
  requires: [IToolbarWidgetRegistry],
  activate: (app: JupyterFrontEnd, registry: IToolbarWidgetRegistry) =>
    void app.started.then(() => wrapNew(registry, app.serviceManager.kernelspecs))
};
