import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { IRunningSessionManagers } from '@jupyterlab/running';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStateDB } from '@jupyterlab/statedb';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { Token } from '@lumino/coreutils';
import { Api } from './api';
import { addCommands } from './commands';
import { CANCEL, CHANGE, CONTINUE, DEFAULTS, IContext, JOBS, LOG, NEW, RESTART } from './context';
import { Environments } from './environments';
import { followJobs } from './indicator';
import { Jobs } from './jobs';
import { keepNotes, offerNotes } from './keeping';
import { Notebooks } from './notebooks';
import { Notifier } from './notify';
import { Pulls } from './pulls';
import { addToRunning } from './running';
import { JobsPanel } from './sidepanel';
import { prefetch } from './starting';
import { addToStatusBar } from './status';

/** What the plugins of this package share. */
const IHpcctr = new Token<IContext>('jupyter-hpcctr:IHpcctr', 'Jobs of kernels on a cluster.');

/** Commands, settings and the notebooks' notes. */
const main: JupyterFrontEndPlugin<IContext> = {
  id: 'jupyter-hpcctr:plugin',
  description: 'Kernels in container images on the nodes of a cluster.',
  autoStart: true,
  provides: IHpcctr,
  optional: [ITranslator, IStateDB, ISettingRegistry, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    translator: ITranslator | null,
    state: IStateDB | null,
    registry: ISettingRegistry | null,
    palette: ICommandPalette | null
  ) => {
    const trans = (translator ?? nullTranslator).load('jupyter_hpcctr');
    const { serverSettings, events, kernels } = app.serviceManager;
    const api = new Api(serverSettings);
    const jobs = new Jobs(api, events, kernels);
    const context: IContext = {
      app,
      api,
      jobs,
      pulls: new Pulls(api, jobs.pulled, trans),
      notebooks: new Notebooks(app),
      trans,
      state,
      settings: { ...DEFAULTS },
      environmentsChanged: () => void app.serviceManager.kernelspecs.refreshSpecs().catch(() => undefined)
    };
    addCommands(context);
    keepNotes(context);
    offerNotes(context);
    followJobs(context);
    new Notifier(context);
    const configure = (settings: ISettingRegistry.ISettings) => {
      const take = () => {
        Object.assign(context.settings, settings.composite);
        context.notebooks.look();
      };
      settings.changed.connect(take);
      take();
    };
    // Nothing is read, asked of the server or listed for later before the page is there.
    void app.restored.then(() => {
      void context.jobs.refresh();
      // The defaults stay where the settings cannot be read.
      registry?.load(main.id).then(configure, () => undefined);
      const category = trans.__('HPC');
      for (const command of [NEW, CHANGE, JOBS, CANCEL, RESTART, LOG, CONTINUE]) {
        palette?.addItem({ command, category, args: { isPalette: true } });
      }
      prefetch(context);
    });
    return context;
  }
};

/** Cards of the launcher. */
const launcher: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-hpcctr:launcher',
  description: 'Cards for images and saved environments.',
  autoStart: true,
  requires: [IHpcctr],
  optional: [ILauncher],
  activate: (app: JupyterFrontEnd, context: IContext, launcher: ILauncher | null) => {
    if (launcher) {
      const environments = new Environments(context, launcher);
      const specs = app.serviceManager.kernelspecs;
      void app.restored.then(() => {
        specs.specsChanged.connect(() => void environments.refresh());
        return environments.refresh();
      });
    }
  }
};

/** The side panel, and the section in the panel of what runs. */
const panel: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-hpcctr:jobs',
  description: 'Lists of the jobs on the cluster.',
  autoStart: true,
  requires: [IHpcctr],
  optional: [ILayoutRestorer, IRunningSessionManagers],
  activate: (
    app: JupyterFrontEnd,
    context: IContext,
    restorer: ILayoutRestorer | null,
    managers: IRunningSessionManagers | null
  ) => {
    const panel = new JobsPanel(context);
    restorer?.add(panel, panel.id);
    app.shell.add(panel, 'left', { rank: 450, type: 'Cluster jobs' });
    if (managers) {
      addToRunning(context, managers);
    }
  }
};

/** The state of the current notebook's job. */
const status: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-hpcctr:status',
  description: 'The state of the current notebook’s job in the status bar.',
  autoStart: true,
  requires: [IHpcctr],
  optional: [IStatusBar],
  activate: (_: JupyterFrontEnd, context: IContext, bar: IStatusBar | null) => {
    if (bar) {
      addToStatusBar(context, bar);
    }
  }
};

export default [main, launcher, panel, status];
