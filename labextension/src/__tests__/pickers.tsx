/** The picker in a page, with a server whose answers are the tests'. */
import { ReactWidget } from '@jupyterlab/ui-components';
import { Widget } from '@lumino/widgets';
import * as React from 'react';
import { Signal } from '@lumino/signaling';
import { Picker } from '../picker/picker';
import { IPickerProps } from '../picker/state';
import { Pulls } from '../pulls';
import { ICopies, IEdf, IEdfSource, IOptions, IPull, IRequest } from '../types';
import { check, image, options, plan, trans } from './samples';

export const api = {
  options: jest.fn(async (_refresh?: boolean): Promise<IOptions> => options),
  images: jest.fn(async () => ({
    images: [image(), image({ reference: 'r.example.org/far:1', title: 'Far', on_cluster: false, badges: [] })],
    problems: [{ registry: 'down.example.org', message: 'no answer' }]
  })),
  plan: jest.fn(async () => plan()),
  checkImage: jest.fn(async (reference: string) => check({ reference })),
  fetchImage: jest.fn(async () => undefined),
  cancelFetch: jest.fn(async () => undefined),
  readEdf: jest.fn(async (_source: IEdfSource): Promise<IEdf> => ({ request: {}, notes: [], problem: null })),
  edfText: jest.fn(async (request: IRequest) => ({ text: `nodes = ${request.nodes}` })),
  copies: jest.fn(async (): Promise<ICopies> => ({ kernelspec: '{}', command: null })),
  keep: jest.fn(async () => ({ name: 'hpcctr-1', display_name: 'Pi', saved: true, request: {}, created: null }))
};
export const told = new Signal<object, IPull>(api);
let shown: ReactWidget;
export const pulls = new Pulls(api, told, trans);
export const start: jest.Mock = jest.fn();
export const contents = { get: jest.fn(), save: jest.fn() };
export const props = { pulls, contents, initial: {}, notice: '', start, saved: jest.fn(), close: jest.fn(), trans };

export function show(changes: Partial<IPickerProps> = {}): void {
  const all = { ...props, api: api as unknown as IPickerProps['api'], ...changes };
  shown = ReactWidget.create(<Picker {...all} />);
  Widget.attach(shown, document.body);
}

export const one = <T extends Element>(selector: string) => document.querySelector<T>(selector);
export const button = (name: string) =>
  [...document.querySelectorAll('button')].find(each => each.textContent === name) as HTMLButtonElement;
export const option = (words: string) =>
  [...document.querySelectorAll<HTMLElement>('[role=option]')].find(each => each.textContent?.includes(words));
export const labelled = (name: string) => {
  const label = [...document.querySelectorAll('label')].find(each => each.textContent === name);
  return label && (document.getElementById(label.htmlFor) as HTMLInputElement);
};

export function fill(field: HTMLInputElement, value: string): void {
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value')?.set?.call(field, value);
  field.dispatchEvent(new Event('input', { bubbles: true }));
}

/** Take it away, and forget what was asked. */
export function tidyUp(): void {
  shown.dispose();
  jest.clearAllMocks();
  api.checkImage.mockImplementation(async reference => check({ reference }));
}

/** Take it away, to show another one. */
export function hide(): void {
  shown.dispose();
}
