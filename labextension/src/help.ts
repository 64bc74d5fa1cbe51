import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { MainAreaWidget } from '@jupyterlab/apputils';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { HELP } from './context';
import { containerIcon } from './icons';

const ID = 'hpcctr-help';
const MARKDOWN = 'text/markdown';

/** A page of the documentation on its own: without pictures, and without links to pages that are not here. */
export function alone(text: string): string {
  return text.replace(/!\[[^\]]*\]\([^)]*\)\n*/g, '').replace(/\[([^\]]*)\]\((?!https?:)[^)]*\)/g, '$1');
}

/** The page of the documentation about JupyterLab; it comes with this extension, so that no other host is asked. */
async function page(rendermime: IRenderMimeRegistry): Promise<MainAreaWidget> {
  const { default: text } = await import('../../docs/jupyterlab.md');
  const content = rendermime.createRenderer(MARKDOWN);
  await content.renderModel(rendermime.createModel({ data: { [MARKDOWN]: alone(text) }, trusted: true }));
  content.addClass('jp-Hpcctr-help');
  content.node.tabIndex = 0;
  const widget = new MainAreaWidget({ content });
  widget.id = ID;
  return widget;
}

/** The entry of the Help menu. */
export const help: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-hpcctr:help',
  description: 'The documentation of container kernels.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, rendermime: IRenderMimeRegistry, translator: ITranslator | null) => {
    const trans = (translator ?? nullTranslator).load('jupyter_hpcctr');
    let shown: MainAreaWidget | null = null;
    app.commands.addCommand(HELP, {
      label: trans.__('Container Kernels Documentation'),
      icon: args => (args.isMenu ? undefined : containerIcon),
      describedBy: { args: { type: 'object', properties: {} } },
      execute: async () => {
        if (!shown || shown.isDisposed) {
          shown = await page(rendermime);
          shown.title.label = trans.__('Container kernels');
          shown.title.icon = containerIcon;
          shown.title.closable = true;
          app.shell.add(shown, 'main');
        }
        app.shell.activateById(ID);
      }
    });
  }
};
