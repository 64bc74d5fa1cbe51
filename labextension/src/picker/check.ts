import * as React from 'react';
import { Api } from '../api';
import { ICheck } from '../types';

const CHECK_MS = 400;
const PATIENCE_MS = 10_000;

export interface IChecking {
  /** What the registry says of the reference; null while nothing is known. */
  check: ICheck | null;
  /** Wait for what the registry says, though not for ever. */
  settled: () => Promise<ICheck | null>;
}

/**
 * What an image's registry says of its name, asked when the name has not changed for a moment.
 *
 * `reference` is "" where there is nothing to ask.
 */
export function useCheck(api: Pick<Api, 'checkImage'>, reference: string): IChecking {
  const [check, setCheck] = React.useState<ICheck | null>(null);
  const latest = React.useRef(reference);
  latest.current = reference;
  const asked = React.useRef<{ reference: string; answer: Promise<ICheck | null> } | null>(null);
  const known = check?.reference === reference ? check : null;
  const ask = () => {
    if (asked.current?.reference !== reference) {
      const answer = api.checkImage(reference).catch(() => null);
      asked.current = { reference, answer };
      void answer.then(said => {
        if (said?.found !== true && asked.current?.answer === answer) {
          asked.current = null; // it may be there in a moment
        }
        if (latest.current === reference) {
          setCheck(said && { ...said, reference });
        }
      });
    }
    return asked.current?.answer ?? Promise.resolve(null);
  };
  React.useEffect(() => {
    const timer = reference ? window.setTimeout(() => void ask(), CHECK_MS) : 0;
    return () => window.clearTimeout(timer);
  }, [reference]);
  const settled = async () => {
    if (!reference || known?.found) {
      return known;
    }
    return Promise.race([ask(), new Promise<null>(resolve => window.setTimeout(() => resolve(null), PATIENCE_MS))]);
  };
  return { check: known, settled };
}
