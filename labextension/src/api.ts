import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { failureFrom } from './failure';
import { ICell, ICellOutputs, ICheck, ICopies, IEdf, IEdfSource, IImages, IJob, IJobs, IKept, ILog } from './types';
import { IOptions, IPlan, IRequest } from './types';

/** The server's part of this extension. Every method throws a Failure when the server refuses. */
export class Api {
  constructor(private settings: ServerConnection.ISettings) {}

  /** What can be asked for; with `refresh` with figures that are some seconds old at most. */
  options(refresh = false): Promise<IOptions> {
    return this.ask('GET', 'options' + (refresh ? '?refresh=1' : ''));
  }

  images(search = ''): Promise<IImages> {
    return this.ask('GET', 'images' + (search ? `?search=${encodeURIComponent(search)}` : ''));
  }

  checkImage(reference: string): Promise<ICheck> {
    return this.ask('GET', `images/check?reference=${encodeURIComponent(reference)}`);
  }

  fetchImage(reference: string): Promise<void> {
    return this.ask('POST', 'images', { reference });
  }

  cancelFetch(reference: string): Promise<void> {
    return this.ask('DELETE', `images?reference=${encodeURIComponent(reference)}`);
  }

  plan(request: IRequest, adapt = false): Promise<IPlan> {
    return this.ask('POST', 'plan', { request, adapt });
  }

  /** What an environment definition file asks for; what is wrong with it is answered. */
  readEdf(source: IEdfSource): Promise<IEdf> {
    return this.ask('POST', 'edf', source);
  }

  /** A request as the text of an environment definition file. */
  edfText(request: IRequest): Promise<{ text: string }> {
    return this.ask('POST', 'edf/text', { request });
  }

  /** A request as a kernelspec and as a command, for other programs. */
  copies(request: IRequest, displayName: string): Promise<ICopies> {
    return this.ask('POST', 'copies', { request, display_name: displayName });
  }

  keep(request: IRequest, displayName?: string): Promise<IKept> {
    const body = displayName ? { request, display_name: displayName, saved: true } : { request, saved: false };
    return this.ask('POST', 'requests', body);
  }

  forget(name: string): Promise<void> {
    return this.ask('DELETE', `requests/${encodeURIComponent(name)}`);
  }

  jobs(): Promise<IJobs> {
    return this.ask('GET', 'jobs');
  }

  log(id: string, offset: number): Promise<ILog> {
    return this.ask('GET', `jobs/${encodeURIComponent(id)}/log?offset=${offset}`);
  }

  /** Cancel a job, or take one that has ended out of the list. */
  remove(id: string): Promise<void> {
    return this.ask('DELETE', `jobs/${encodeURIComponent(id)}`);
  }

  /** Have this server go on with the kernel of a job elsewhere; `force`: also where another process has it. */
  take(id: string, force: boolean): Promise<IJob> {
    return this.ask('POST', `jobs/${encodeURIComponent(id)}/take`, { force });
  }

  /** The last execution of each cell of a kernel's notebook. */
  cells(kernel: string): Promise<{ cells: ICell[] }> {
    return this.ask('GET', `kernels/${encodeURIComponent(kernel)}/cells`);
  }

  /** The last execution of a cell with its outputs. */
  cell(kernel: string, cell: string): Promise<ICellOutputs> {
    return this.ask('GET', `kernels/${encodeURIComponent(kernel)}/cells/${encodeURIComponent(cell)}`);
  }

  private async ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const url = URLExt.join(this.settings.baseUrl, 'jupyter-hpcctr/') + path;
    const init: RequestInit = { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const response = await ServerConnection.makeRequest(url, init, this.settings);
    const answer = await response.text();
    if (!response.ok) {
      throw failureFrom(response.status, response.statusText, answer);
    }
    return (answer ? JSON.parse(answer) : undefined) as T;
  }
}
