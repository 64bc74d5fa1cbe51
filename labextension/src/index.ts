import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-hpcctr:plugin',
  description: 'Kernels in container images on the nodes of a cluster.',
  autoStart: true,
  activate: (app: JupyterFrontEnd) => undefined
};

export default plugin;
