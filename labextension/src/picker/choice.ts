import * as React from 'react';
import { sentence } from '../failure';
import { IProblem, IRequest } from '../types';
import { ILoaded } from './state';

/** Move the focus to what is wrong, so that it is read. */
export function focusProblem(field: string): void {
  const node = document.getElementById(field === 'image' ? 'jp-Hpcctr-search' : `hpcctr_${field}`);
  node?.closest('details')?.setAttribute('open', '');
  node?.focus();
}

export function problemText(problems: IProblem[] | undefined): string {
  return (problems ?? []).map(each => (each.hint ? `${each.message} – ${each.hint}` : each.message)).join(' ');
}

export interface IChoice {
  data: IRequest;
  setData: (data: IRequest) => void;
  /** What is wrong with what was tried. */
  refused: IProblem[];
  tried: boolean;
  attempt: <T>(work: () => Promise<T>) => Promise<T | undefined>;
  /** Forget what was wrong: something has changed. */
  forget: () => void;
}

/** The request under way, and what the server said when it was to be used. */
export function useChoice(loaded: ILoaded): IChoice {
  const [data, setData] = React.useState<IRequest>(loaded.request);
  const [refused, setRefused] = React.useState<IProblem[]>([]);
  const [tried, setTried] = React.useState(false);
  const changes = React.useRef(0);
  const attempt = async <T>(work: () => Promise<T>) => {
    setTried(true);
    setRefused([]);
    const began = changes.current;
    try {
      return await work();
    } catch (error) {
      if (changes.current !== began) {
        return undefined; // what was refused is no longer what the form says
      }
      const field = (error as { field?: string }).field ?? '';
      setRefused([{ field, message: sentence(error), hint: '' }]);
      focusProblem(field);
      return undefined;
    }
  };
  const forget = () => {
    changes.current += 1;
    setRefused([]);
  };
  const change = (changed: IRequest) => {
    forget();
    setData(changed);
  };
  return { data, setData: change, refused, tried, attempt, forget };
}
