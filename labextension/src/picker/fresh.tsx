import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { Api } from '../api';
import { ITrans } from '../format';
import { IOptions } from '../types';

const REFRESH_MS = 15_000;
const TICK_MS = 1000;

/** What can be asked for, and when the scheduler was asked (milliseconds since 1970). */
export interface IFresh {
  options: IOptions;
  asked: number;
}

function taken(options: IOptions): IFresh {
  return { options, asked: Date.now() - options.age_s * 1000 };
}

function same(one: IOptions, other: IOptions): boolean {
  return JSON.stringify({ ...one, age_s: 0 }) === JSON.stringify({ ...other, age_s: 0 });
}

/** Whether a scheduler that answered before does not now: then what it said before is the better form. */
function worse(known: IOptions, options: IOptions): boolean {
  const answered = new Set(known.schedulers.filter(each => !each.problem).map(each => each.name));
  return options.schedulers.some(each => each.problem && answered.has(each.name));
}

/** What an answer makes of what is known; options that are the same stay the same object, and are not drawn again. */
export function renewed(known: IFresh, options: IOptions): IFresh {
  if (worse(known.options, options)) {
    return known;
  }
  const fresh = taken(options);
  return same(known.options, options) ? { ...fresh, options: known.options } : fresh;
}

/** The options, asked for again at once and every 15 seconds, as long as somebody can see them. */
export function useFresh(api: Pick<Api, 'options'>, first: IOptions): IFresh {
  const [fresh, setFresh] = React.useState(() => taken(first));
  React.useEffect(() => {
    let live = true;
    let timer = 0;
    const look = async () => {
      window.clearTimeout(timer);
      if (!document.hidden) {
        // Where the server does not answer, the figures stay, and their age grows.
        await api.options(true).then(
          options => live && setFresh(known => renewed(known, options)),
          () => undefined
        );
      }
      if (live) {
        timer = window.setTimeout(() => void look(), REFRESH_MS);
      }
    };
    const seen = () => (document.hidden ? undefined : void look());
    document.addEventListener('visibilitychange', seen);
    void look();
    return () => {
      live = false;
      window.clearTimeout(timer);
      document.removeEventListener('visibilitychange', seen);
    };
  }, []);
  return fresh;
}

/** "just now", "20 s ago", "3 min ago". */
export function ageWords(milliseconds: number, trans: ITrans): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 5) {
    return trans.__('just now');
  }
  return seconds < 120 ? trans.__('%1 s ago', seconds) : trans.__('%1 min ago', Math.floor(seconds / 60));
}

/** How old a figure is; it counts by itself. */
export function Age(props: { asked: number; trans: TranslationBundle }): JSX.Element {
  const [, tick] = React.useState(0);
  React.useEffect(() => {
    const timer = window.setInterval(() => tick(count => count + 1), TICK_MS);
    return () => window.clearInterval(timer);
  }, []);
  return <span className="jp-Hpcctr-age"> ({ageWords(Date.now() - props.asked, props.trans)})</span>;
}
