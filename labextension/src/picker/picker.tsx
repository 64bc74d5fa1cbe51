import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { Failure, sentence } from '../failure';
import { byField, chosenPartition, narrowed, tidy, wrong } from '../fields';
import { shortName } from '../format';
import { IImages, IKept, IPlan, IProblem, IRequest } from '../types';
import { Actions } from './actions';
import { Fetch, useArrived } from './fetch';
import { ResourceForm } from './form';
import { ImageList } from './images';
import { Preview } from './preview';
import { ILoaded, IPickerProps, IPlanned, useFound, useKnown, useLoaded, usePlan } from './state';

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

/** A name for an environment that says what is in it. */
function titleOf(loaded: ILoaded, request: IRequest): string {
  const image = loaded.images.images.find(each => each.reference === request.image);
  const name = image?.title || (request.image ? shortName(request.image) : 'Python');
  const nodes = Number(request.nodes ?? 1);
  return nodes > 1 ? `${name}, ${nodes} nodes` : name;
}

/** Move the focus to what is wrong, so that it is read. */
function focusProblem(field: string): void {
  const node = document.getElementById(field === 'image' ? 'jp-Hpcctr-search' : `hpcctr_${field}`);
  node?.closest('details')?.setAttribute('open', '');
  node?.focus();
}

function problemText(problems: IProblem[] | undefined): string {
  return (problems ?? []).map(each => `${each.message} ${each.hint}`.trim()).join(' ');
}

interface IChoice {
  data: IRequest;
  setData: (data: IRequest) => void;
  /** What is wrong with what was tried. */
  refused: IProblem[];
  tried: boolean;
  attempt: <T>(work: () => Promise<T>) => Promise<T | undefined>;
}

/** The request under way, and what the server said when it was to be used. */
function useChoice(loaded: ILoaded): IChoice {
  const [data, setData] = React.useState<IRequest>(loaded.request);
  const [refused, setRefused] = React.useState<IProblem[]>([]);
  const [tried, setTried] = React.useState(false);
  const attempt = async <T,>(work: () => Promise<T>) => {
    setTried(true);
    setRefused([]);
    try {
      return await work();
    } catch (error) {
      const field = (error as { field?: string }).field ?? '';
      setRefused([{ field, message: sentence(error), hint: '' }]);
      return undefined;
    }
  };
  const change = (changed: IRequest) => {
    setRefused([]);
    setData(changed);
  };
  return { data, setData: change, refused, tried, attempt };
}

/** Problems by field; that no image was chosen yet is none before somebody tries to go on without. */
function useProblems(choice: IChoice, schema: ReturnType<typeof narrowed>, said: IProblem[], trans: TranslationBundle) {
  const problems = byField([...said, ...choice.refused], wrong(schema, choice.data, trans));
  if (!choice.data.image && !choice.tried) {
    problems.delete('image');
  }
  const elsewhere = [...problems.entries()].filter(([field]) => field !== 'image' && !schema.properties[field]);
  return { problems, elsewhere: elsewhere.map(([, each]) => problemText(each)).join(' ') };
}

/** What is found for a text and planned for a request; both are asked for again when an image has arrived. */
function useAnswers(props: IPickerProps & { loaded: ILoaded }, text: string, data: IRequest) {
  const { api, pulls, loaded } = props;
  const arrived = useArrived(pulls);
  const found = useFound(api, useKnown(api, loaded.images, arrived), text);
  return { found, planned: usePlan(api, data, arrived) };
}

function Form(props: IPickerProps & { loaded: ILoaded }): JSX.Element {
  const { api, trans, loaded } = props;
  const { options } = loaded;
  const [text, setText] = React.useState('');
  const choice = useChoice(loaded);
  const { data, setData } = choice;
  const { found, planned } = useAnswers(props, text, data);
  const schema = React.useMemo(
    () => narrowed(options, data, trans),
    [options, chosenPartition(options, data), data.gpu_type, data.account, data.qos, data.gpus_per_node]
  );
  const { problems, elsewhere } = useProblems(choice, schema, planned.problems, trans);
  const latest = React.useRef(data);
  latest.current = data;
  const choose = React.useCallback((image: string) => setData({ ...latest.current, image }), []);
  const blocked = () => {
    if (!data.image && data.engine !== 'bare') {
      throw new Failure(trans.__('Choose an image.'), 0, '', 'image');
    }
    const first = wrong(schema, data, trans)[0]?.field ?? planned.problems[0]?.field;
    return first && (problems.has(first) || first === 'image') ? first : '';
  };
  const start = async () => {
    const kept = await choice.attempt<IKept | null>(async () => {
      const field = planned.busy ? '' : blocked();
      return field ? (focusProblem(field), null) : api.keep(tidy(data));
    });
    if (kept) {
      await choice.attempt(() => props.start(kept));
    }
  };
  return (
    <div className="jp-Hpcctr-picker">
      {props.notice ? <p className="jp-Hpcctr-notice">{props.notice}</p> : null}
      <Choices {...props} {...{ found, planned, text, setText, data, choose, schema, options, problems, setData }} />
      <Preview
        {...planned}
        {...{ trans, adapted: loaded.adapted }}
        failure={[planned.failure, elsewhere].filter(Boolean).join(' ')}
      />
      <Actions
        request={tidy(data)}
        title={titleOf(loaded, data)}
        save={name => choice.attempt(() => api.keep(tidy(data), name))}
        {...{ start, trans, saved: props.saved, close: props.close }}
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
  found: ILoaded['images'];
  text: string;
  setText: (text: string) => void;
  data: IRequest;
  choose: (image: string) => void;
  schema: ReturnType<typeof narrowed>;
  options: ILoaded['options'];
  problems: Map<string, IProblem[]>;
  setData: (data: IRequest) => void;
  planned: IPlanned;
}

function Choices(props: IChoicesProps): JSX.Element {
  const { trans, problems, data } = props;
  return (
    <div className="jp-Hpcctr-choices">
      <ImageList
        found={props.found}
        text={props.text}
        onText={props.setText}
        chosen={data.image}
        onChoose={props.choose}
        problem={problemText(problems.get('image'))}
        trans={trans}
      >
        {data.image && !isHere(props.found, props.planned.plan, data.image) ? (
          <Fetch reference={data.image} pulls={props.pulls} trans={trans} />
        ) : null}
      </ImageList>
      <ResourceForm
        schema={props.schema}
        options={props.options}
        data={data}
        problems={problems}
        onChange={props.setData}
        trans={trans}
      />
    </div>
  );
}
