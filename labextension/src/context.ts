import { JupyterFrontEnd } from '@jupyterlab/application';
import { IStateDB } from '@jupyterlab/statedb';
import { TranslationBundle } from '@jupyterlab/translation';
import { Api } from './api';
import { Jobs } from './jobs';
import { Notebooks } from './notebooks';
import { Pulls } from './pulls';

/** What a user has set. */
export interface ISettings {
  showStatusBar: boolean;
  notifyAfterSeconds: number;
  warnMinutes: number[];
  offerStored: boolean;
}

export const DEFAULTS: ISettings = {
  showStatusBar: true,
  notifyAfterSeconds: 5,
  warnMinutes: [15, 5, 1],
  offerStored: true
};

/** What the parts of this extension share. */
export interface IContext {
  app: JupyterFrontEnd;
  api: Api;
  jobs: Jobs;
  notebooks: Notebooks;
  pulls: Pulls;
  trans: TranslationBundle;
  state: IStateDB | null;
  settings: ISettings;
  /** Called when an environment was saved or removed. */
  environmentsChanged: () => void;
}

export const NEW = 'hpcctr:new';
export const CHANGE = 'hpcctr:change-kernel';
export const JOBS = 'hpcctr:jobs';
export const CANCEL = 'hpcctr:cancel';
export const RESTART = 'hpcctr:restart';
export const LOG = 'hpcctr:log';
export const OPEN = 'hpcctr:open';
export const CONTINUE = 'hpcctr:continue';
export const HELP = 'hpcctr:help';
export const REMOVE = 'hpcctr:remove';
