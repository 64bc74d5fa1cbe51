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
import { CANCEL, CHANGE, CONTINUE, DEFAULTS, HELP, IContext, JOBS, LOG, NEW, RESTART } from './context';
import { addCard } from './environments';
import { help } from './help';
import { followJobs } from './indicator';
import { Jobs } from './jobs';
import { keepNotes, offerNotes } from './keeping';
import { catchUp } from './missed';
import { newMenu } from './newmenu';
import { Notebooks } from './notebooks';
import { hideOneOffs } from './oneoffs';
import { Pulls } from './pulls';
import { addToRunning } from './running';
import { JobsPanel } from './sidepanel';
import { prefetch } from './starting';
import { addToStatusBar } from './status';

/** Tell of jobs once there is one: only then is the code for it loaded. */
function tellOfJobs(context: IContext): void {
  const { jobs } = context;
  const begin = () => {
    if (jobs.own.length > 0) {
      jobs.changed.disconnect(begin);
      import('./notify').then(
        ({ Notifier }) => new Notifier(context).look(),
        () => jobs.changed.connect(begin) // the server is away: with the next news of jobs it is there again
      );
    }
  };
  jobs.changed.connect(begin);
}

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
    hideOneOffs();
    [keepNotes, offerNotes, catchUp, followJobs, tellOfJobs].forEach(begin => begin(context));
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
      // The palette finds commands by the words of their category, too.
      const category = trans.__('HPC cluster (Slurm, jobs, GPU)');
      [NEW, CHANGE, JOBS, CANCEL, RESTART, LOG, CONTINUE, HELP].forEach((command, rank) =>
        palette?.addItem({ command, category, args: { isPalette: true }, rank })
      );
      prefetch(context);
    });
    return context;
  }
};

/** Cards of the launcher. */
const launcher: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-hpcctr:launcher',
  description: 'The card that opens the form.',
  autoStart: true,
  requires: [IHpcctr],
  optional: [ILauncher, ITranslator],
  activate: (_: JupyterFrontEnd, __: IContext, launcher: ILauncher | null, translator: ITranslator | null) => {
    if (launcher) {
      addCard(launcher, (translator ?? nullTranslator).load('jupyterlab').__('Notebook'));
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

export default [main, launcher, panel, status, help, newMenu];
