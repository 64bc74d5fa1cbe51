import { JupyterFrontEnd } from '@jupyterlab/application';
import { ISessionContext } from '@jupyterlab/apputils';
import { DocumentRegistry } from '@jupyterlab/docregistry';
import { DisposableDelegate, IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import { IFuture } from './orphan';

/** What is used of a notebook's model; the notebook's own package is not needed for it. */
export interface INotebookModel extends DocumentRegistry.IModel {
  getMetadata(key: string): unknown;
  setMetadata(key: string, value: unknown): void;
}

/** What is used of a code cell on a page. */
export interface ICodeCell {
  isDisposed: boolean;
  model: {
    id: string;
    type: string;
    trusted: boolean;
    executionCount: number | null;
    executionState: 'idle' | 'running';
    sharedModel: { getSource(): string };
    outputs: { toJSON(): { [key: string]: unknown }[]; fromJSON(outputs: { [key: string]: unknown }[]): void };
  };
  outputArea: { future?: IFuture | null };
}

/** An open notebook. */
export interface INotebook {
  widget: Widget;
  model: INotebookModel;
  session: ISessionContext;
  path: string;
  ready: Promise<void>;
  /** When its file was last written, by the server's clock. */
  saved: string | undefined;
  cells: ICodeCell[];
}

/** The open notebooks, and which of them one looks at. */
export class Notebooks {
  constructor(private app: JupyterFrontEnd) {
    app.docRegistry.addWidgetExtension('Notebook', {
      createNew: (widget, context) => this.add(widget, context)
    });
    app.shell.currentChanged?.connect(() => this._changed.emit());
  }

  /** Emitted when another notebook is looked at, or a kernel has changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emitted when a notebook is opened, before its file is read. */
  get added(): ISignal<this, INotebook> {
    return this._added;
  }

  get all(): INotebook[] {
    return [...this.open.values()];
  }

  /** The notebook that one looks at. */
  get current(): INotebook | undefined {
    const widget = this.app.shell.currentWidget;
    return widget ? this.open.get(widget) : undefined;
  }

  /** The notebook that uses a kernel. */
  ofKernel(kernelId: string): INotebook | undefined {
    return this.all.find(each => kernelId && each.session.session?.kernel?.id === kernelId);
  }

  /** Have everybody look again. */
  look(): void {
    this._changed.emit();
  }

  private add(widget: Widget, context: DocumentRegistry.IContext<DocumentRegistry.IModel>): IDisposable {
    const notebook: INotebook = {
      widget,
      model: context.model as INotebookModel,
      session: context.sessionContext,
      get path() {
        return context.path;
      },
      ready: context.ready,
      get saved() {
        return context.contentsModel?.last_modified;
      },
      get cells() {
        const { content } = widget as unknown as { content?: { widgets?: readonly ICodeCell[] } };
        return (content?.widgets ?? []).filter(each => each.model.type === 'code');
      }
    };
    this.open.set(widget, notebook);
    const changed = () => this._changed.emit();
    notebook.session.kernelChanged.connect(changed);
    this._added.emit(notebook);
    return new DisposableDelegate(() => {
      notebook.session.kernelChanged.disconnect(changed);
      this.open.delete(widget);
      changed();
    });
  }

  private open = new Map<Widget, INotebook>();
  private _changed = new Signal<this, void>(this);
  private _added = new Signal<this, INotebook>(this);
}
