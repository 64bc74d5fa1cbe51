import { Dialog } from '@jupyterlab/apputils';
import { ReactWidget } from '@jupyterlab/ui-components';
import { Panel } from '@lumino/widgets';
import * as React from 'react';
import { Picker } from './picker';
import { IPickerProps } from './state';

const FOCUSABLE = 'button, input, select, textarea, summary, [tabindex="0"]';

/**
 * JupyterLab's dialog, with buttons of its own: it stays while something is wrong, and Enter in a field starts nothing.
 */
class PickerDialog extends Dialog<void> {
  constructor(title: string, body: Panel) {
    super({ title, body, buttons: [], hasClose: true });
    this.addClass('jp-Hpcctr-dialog');
    this.node.setAttribute('role', 'dialog');
    this.node.setAttribute('aria-label', title);
  }

  handleEvent(event: Event): void {
    if (event.type === 'focus') {
      if (!this.node.contains(event.target as Node)) {
        event.stopPropagation();
        const all = this.focusable();
        (all.find(node => node instanceof HTMLInputElement) ?? all[0])?.focus();
      }
    } else if (event.type !== 'keydown') {
      super.handleEvent(event);
    } else if ((event as KeyboardEvent).key === 'Escape') {
      super.handleEvent(event);
    } else if ((event as KeyboardEvent).key === 'Tab') {
      this.turnAround(event as KeyboardEvent);
    }
  }

  private focusable(): HTMLElement[] {
    const all = [...this.node.querySelectorAll<HTMLElement>(FOCUSABLE)];
    return all.filter(node => node.offsetParent !== null && !(node as HTMLButtonElement).disabled);
  }

  // From the last element to the first and back: the page behind is not reached.
  private turnAround(event: KeyboardEvent): void {
    const all = this.focusable();
    const [from, to] = event.shiftKey ? [all[0], all[all.length - 1]] : [all[all.length - 1], all[0]];
    if (document.activeElement === from) {
      event.preventDefault();
      to?.focus();
    }
  }
}

/** Show the picker until it is closed. */
export async function showPicker(props: Omit<IPickerProps, 'close'>): Promise<void> {
  const body = new Panel();
  const dialog: PickerDialog = new PickerDialog(props.trans.__('New container kernel'), body);
  const start: IPickerProps['start'] = async (kept, isImage) => {
    await props.start(kept, isImage);
    dialog.reject();
  };
  const shown = ReactWidget.create(<Picker {...props} start={start} close={() => dialog.reject()} />);
  shown.addClass('jp-Hpcctr-body');
  body.addWidget(shown);
  await dialog.launch();
}
