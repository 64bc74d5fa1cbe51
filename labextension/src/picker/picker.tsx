import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { Failure } from '../failure';
import { byField, formOf, shown as shownFields, tidy, wrong } from '../fields';
import { shortName } from '../format';
import { hiddenChoice } from '../gallery';
import { ICheck, IFields, IImages, IKept, IOptions, IPlan, IProblem, IRequest } from '../types';
import { Actions } from './actions';
import { useCheck } from './check';
import { focusProblem, IChoice, problemText, useChoice } from './choice';
import { edfUses } from './edf';
import { Fetch, Near, useArrived } from './fetch';
import { ResourceForm } from './form';
import { useFresh } from './fresh';
import { ImageList } from './images';
import { Preview } from './preview';
import { ILoaded, IPickerProps, useFound, useKnown, useLoaded, usePlan } from './state';

/** The dialog's content: images, resources, and what comes of them. */
export function Picker(props: IPickerProps): JSX.Element {
  const { loaded, failure, again } = useLoaded(props);
  const { trans } = props;
  if (loaded) {
    return <Form {...props} loaded={loaded} />;
  }
  return (
    <div className="jp-Hpcctr-loading">
      {failure ? (
        <>
          <div className="jp-Hpcctr-problem" role="alert">
            {failure}
          </div>
          <button className="jp-Dialog-button jp-mod-styled jp-mod-reject" onClick={again}>
            {trans.__('Try again')}
          </button>
        </>
      ) : (
        <div role="status">{trans.__('The cluster is asked what it has …')}</div>
      )}
      <button className="jp-Dialog-button jp-mod-styled jp-mod-reject" onClick={props.close}>
        {trans.__('Cancel')}
      </button>
    </div>
  );
}

type ILoadedProps = IPickerProps & { loaded: ILoaded };

/** A name for an environment that says what is in it. */
function titleOf(loaded: ILoaded, request: IRequest): string {
  const image = loaded.images.images.find(each => each.reference === request.image);
  const name = image?.title || (request.image ? shortName(request.image) : 'Python');
  const nodes = Number(request.nodes ?? 1);
  return nodes > 1 ? `${name}, ${nodes} nodes` : name;
}

/** Problems by field; that no image was chosen yet is none before somebody tries to go on without. */
function useProblems(choice: IChoice, fields: IFields, said: IProblem[], trans: TranslationBundle) {
  // What is said of a field anyway is not said again when it was tried.
  const isSaid = (each: IProblem) =>
    said.some(other => other.field === each.field && each.message.startsWith(other.message));
  const refused = choice.refused.filter(each => !isSaid(each));
  const problems = byField([...said, ...refused], wrong(fields, choice.data, trans));
  if (!choice.data.image && !choice.tried) {
    problems.delete('image');
  }
  const elsewhere = [...problems.entries()].filter(([field]) => field !== 'image' && !fields[field]);
  return { problems, elsewhere: elsewhere.map(([, each]) => problemText(each)).join(' ') };
}

/** What is found for a text, planned for a request and said of its image; asked again when an image has arrived. */
function useAnswers(props: ILoadedProps, text: string, data: IRequest) {
  const { api, pulls, loaded } = props;
  const arrived = useArrived(pulls);
  const found = useFound(api, useKnown(api, loaded.images, arrived), text);
  const planned = usePlan(api, data, arrived);
  const image = data.image ?? '';
  const here = image !== '' && isHere(found, planned.plan, image);
  const listed = found.images.find(each => each.reference === image);
  const checking = useCheck(api, isImageless(loaded.options, data) || listed?.on_cluster ? '' : image);
  const sure = image === '' || listed?.on_cluster === true || checking.check?.found === true;
  return { found, planned, here, sure, ...checking };
}

/** Whether the engine that is asked for can do without an image. */
function isImageless(options: IOptions, data: IRequest): boolean {
  return options.imageless.includes(data.engine ?? '');
}

/** That there is no such image, as a problem. */
function missing(check: ICheck | null): IProblem[] {
  return check?.found === false ? [{ field: 'image', message: check.message, hint: check.hint }] : [];
}

type Answers = ReturnType<typeof useAnswers>;

/** What the buttons do; each refuses what is not to be used, and says why beside its field. */
function useUses(props: ILoadedProps, text: string, choice: IChoice, answers: Answers, wrongField: () => string) {
  const { api, trans } = props;
  const { data } = choice;
  const image = (message: string, hint = '') => new Failure(message, 0, hint, 'image');
  const imageIsSure = async () => {
    if (hiddenChoice(answers.found.images, text, data.image)) {
      const hint = trans.__('choose one of the images shown, or clear the search');
      throw image(trans.__('The search hides the chosen image'), hint);
    }
    const check = await answers.settled();
    if (check?.found === false) {
      throw image(check.message, check.hint);
    }
    return answers.sure || check?.found === true;
  };
  const start = async () => {
    let sure = false;
    const kept = await choice.attempt<IKept | null>(async () => {
      if (!data.image && !isImageless(props.loaded.options, data)) {
        throw image(trans.__('Choose an image.'));
      }
      sure = await imageIsSure();
      const field = answers.planned.busy ? '' : wrongField();
      return field ? (focusProblem(field), null) : api.keep(tidy(data));
    });
    if (kept) {
      await choice.attempt(() => props.start(kept, sure));
    }
  };
  const save = (name: string) => choice.attempt(async () => (await imageIsSure(), api.keep(tidy(data), name)));
  return { start, save };
}

/** The fields for what is chosen; the same object as long as they are the same, for they are drawn anew with it. */
function useFields(options: IOptions, data: IRequest): IFields {
  const fields = shownFields(formOf(options, data).schema, data);
  return React.useMemo(() => fields, [JSON.stringify(fields)]);
}

/** That the server goes by another configuration of the site than there is by now. */
function Changed(props: { options: IOptions }): JSX.Element | null {
  const changed = props.options.changed;
  return changed ? (
    <p className="jp-Hpcctr-notice" role="status">
      {changed.message} – {changed.hint}
    </p>
  ) : null;
}

function Form(props: ILoadedProps): JSX.Element {
  const { api, trans, loaded } = props;
  const { options, asked } = useFresh(api, loaded.options);
  const [text, setWords] = React.useState('');
  const choice = useChoice(loaded);
  const { data, setData } = choice;
  const setText = (words: string) => {
    choice.forget();
    setWords(words);
  };
  const answers = useAnswers(props, text, data);
  const { planned, check } = answers;
  const fields = useFields(options, data);
  const { problems, elsewhere } = useProblems(choice, fields, [...missing(check), ...planned.problems], trans);
  const latest = React.useRef(data);
  latest.current = data;
  const choose = React.useCallback((image: string) => setData({ ...latest.current, image }), []);
  const wrongField = () => {
    const first = wrong(fields, data, trans)[0]?.field ?? planned.problems[0]?.field;
    return first && (problems.has(first) || first === 'image') ? first : '';
  };
  const { start, save } = useUses(props, text, choice, answers, wrongField);
  const take = (request: IRequest) => {
    setText('');
    setData({ ...formOf(options, request).defaults, ...request });
  };
  const known = ['scheduler', ...Object.keys(formOf(options, data).schema.properties)];
  const edf = edfUses({ ...props, fields: known, request: tidy(data), take });
  const copies = (title: string) => api.copies(tidy(data), title);
  const shown = { answers, text, setText, data, choose, fields, options, asked, problems, setData };
  return (
    <div className="jp-Hpcctr-picker">
      {props.notice ? <p className="jp-Hpcctr-notice">{props.notice}</p> : null}
      <Changed options={options} />
      <Choices {...props} {...shown} />
      <Preview
        {...planned}
        {...{ trans, check, adapted: loaded.adapted }}
        failure={[planned.failure, elsewhere].filter(Boolean).join(' ')}
      />
      <Actions
        request={tidy(data)}
        title={titleOf(loaded, data)}
        {...{ start, save, edf, copies, trans, saved: props.saved, close: props.close }}
      />
    </div>
  );
}

/** Whether an image is on the cluster; one that is in no list is known to the plan alone. */
function isHere(found: IImages, plan: IPlan | null, reference: string): boolean {
  const listed = found.images.find(each => each.reference === reference);
  return listed?.on_cluster ?? (plan?.command && plan.request.image === reference ? plan.image_on_cluster : true);
}

interface IChoicesProps extends Pick<IPickerProps, 'pulls' | 'trans'> {
  answers: Answers;
  text: string;
  setText: (text: string) => void;
  data: IRequest;
  choose: (image: string) => void;
  fields: IFields;
  options: ILoaded['options'];
  asked: number;
  problems: Map<string, IProblem[]>;
  setData: (data: IRequest) => void;
}

/** What is said of the chosen image: that it is to be fetched, or what is called nearly like it. */
function OfImage(props: IChoicesProps): JSX.Element | null {
  const { data, trans } = props;
  const { check, here } = props.answers;
  const take = (reference: string) => {
    props.setText('');
    props.choose(reference);
  };
  if (check?.found === false) {
    return <Near near={check.near} onChoose={take} trans={trans} />;
  }
  return data.image && !here ? (
    <Fetch reference={data.image} check={check} pulls={props.pulls} trans={trans} />
  ) : null;
}

function Choices(props: IChoicesProps): JSX.Element {
  const { trans, problems, data } = props;
  return (
    <div className="jp-Hpcctr-choices">
      <ImageList
        found={props.answers.found}
        text={props.text}
        onText={props.setText}
        chosen={data.image}
        onChoose={props.choose}
        problem={problemText(problems.get('image'))}
        trans={trans}
      >
        <OfImage {...props} />
      </ImageList>
      <ResourceForm
        fields={props.fields}
        options={props.options}
        asked={props.asked}
        data={data}
        problems={problems}
        onChange={props.setData}
        trans={trans}
      />
    </div>
  );
}
