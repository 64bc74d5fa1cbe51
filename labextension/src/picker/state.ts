import { Contents } from '@jupyterlab/services';
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { Api } from '../api';
import { Failure, sentence } from '../failure';
import { formOf, tidy } from '../fields';
import { merged } from '../gallery';
import { INote, sameImage } from '../notes';
import { Pulls } from '../pulls';
import { IImages, IKept, IOptions, IPlan, IProblem, IRequest } from '../types';

const PLAN_MS = 250;
const SEARCH_MS = 400;

/** What the picker is opened with. */
export interface IPickerProps {
  api: Api;
  pulls: Pulls;
  /** The server's files. */
  contents: Pick<Contents.IManager, 'get' | 'save'>;
  trans: TranslationBundle;
  /** The request that the form begins with. */
  initial: IRequest;
  /** What the notebook brings from elsewhere: it is fitted to this site first. */
  note?: INote;
  /** What is said above the form. */
  notice: string;
  /** Start a kernel by its name, and say whether its image is known to exist; the picker closes when that was done. */
  start: (kept: IKept, isImage: boolean) => Promise<void>;
  /** Called when an environment was saved. */
  saved: () => void;
  close: () => void;
}

export interface ILoaded {
  options: IOptions;
  images: IImages;
  request: IRequest;
  adapted: string[];
}

async function load(props: IPickerProps): Promise<ILoaded> {
  const [options, images] = await Promise.all([props.api.options(), props.api.images()]);
  let request: IRequest = { ...formOf(options, props.initial).defaults, ...props.initial };
  let adapted: string[] = [];
  if (props.note) {
    const plan = await props.api.plan({ ...props.note.request, image: sameImage(props.note, images.images) }, true);
    request = plan.request;
    adapted = plan.reasons;
  }
  return { options, images, request, adapted };
}

/** Options, images and the first request; `again` asks anew after a failure. */
export function useLoaded(props: IPickerProps): { loaded: ILoaded | null; failure: string; again: () => void } {
  const [loaded, setLoaded] = React.useState<ILoaded | null>(null);
  const [failure, setFailure] = React.useState('');
  const [turn, setTurn] = React.useState(0);
  React.useEffect(() => {
    let live = true;
    setFailure('');
    load(props).then(
      made => live && setLoaded(made),
      error => live && setFailure(sentence(error))
    );
    return () => {
      live = false;
    };
  }, [turn]);
  return { loaded, failure, again: () => setTurn(turn + 1) };
}

export interface IPlanned {
  plan: IPlan | null;
  problems: IProblem[];
  failure: string;
  busy: boolean;
}

/** The images that are known; read again when one has come to the cluster. */
export function useKnown(api: Api, known: IImages, arrived: number): IImages {
  const [images, setImages] = React.useState(known);
  React.useEffect(() => {
    let live = true;
    if (arrived) {
      api.images().then(
        found => live && setImages(found),
        () => undefined // the list stays as it was
      );
    }
    return () => {
      live = false;
    };
  }, [arrived]);
  return images;
}

/**
 * The plan for a request, asked for when it has not changed for a moment; an answer that comes late is dropped.
 *
 * `arrived` changes when an image has come to the cluster: the plan is another one then.
 */
export function usePlan(api: Api, request: IRequest, arrived: number): IPlanned {
  const [planned, setPlanned] = React.useState<IPlanned>({ plan: null, problems: [], failure: '', busy: true });
  const words = JSON.stringify(tidy(request));
  React.useEffect(() => {
    let live = true;
    const take = (made: Partial<IPlanned>) => live && setPlanned(known => ({ ...known, busy: false, ...made }));
    setPlanned(known => ({ ...known, busy: true }));
    const timer = window.setTimeout(() => {
      api.plan(JSON.parse(words) as IRequest).then(
        plan => take({ plan, problems: plan.problems, failure: '' }),
        error => {
          const field = error instanceof Failure ? error.field : '';
          const problem = { field, message: sentence(error), hint: '' };
          take({ plan: null, problems: field ? [problem] : [], failure: field ? '' : problem.message });
        }
      );
    }, PLAN_MS);
    return () => {
      live = false;
      window.clearTimeout(timer);
    };
  }, [words, arrived]);
  return planned;
}

/** What is known, with what the registries have for a text. */
export function useFound(api: Api, known: IImages, text: string): IImages {
  const [more, setMore] = React.useState<IImages>({ images: [], problems: [] });
  const words = text.trim();
  React.useEffect(() => {
    let live = true;
    if (words.length < 2) {
      setMore({ images: [], problems: [] });
      return;
    }
    const timer = window.setTimeout(() => {
      api.images(words).then(
        found => live && setMore(found),
        error => live && setMore({ images: [], problems: [{ registry: '', message: sentence(error) }] })
      );
    }, SEARCH_MS);
    return () => {
      live = false;
      window.clearTimeout(timer);
    };
  }, [words]);
  return React.useMemo(
    () => ({
      images: merged(known.images, more.images),
      problems: words.length < 2 ? known.problems : more.problems
    }),
    [known, more, words.length < 2]
  );
}
