import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { amount, moment } from '../format';
import { IPlan } from '../types';

function imageWords(plan: IPlan, trans: TranslationBundle): string {
  if (!plan.request.image) {
    return trans.__('none chosen');
  }
  return plan.image_on_cluster ? trans.__('on the cluster') : trans.__('is fetched to the cluster first');
}

function startWords(plan: IPlan, trans: TranslationBundle): string {
  if (!plan.expected_start) {
    return plan.image_on_cluster ? trans.__('not known') : trans.__('after the image is fetched');
  }
  const at = moment(plan.expected_start, new Date());
  return plan.image_on_cluster ? at : trans.__('%1, if the image is fetched by then', at);
}

function Facts(props: { plan: IPlan; trans: TranslationBundle }): JSX.Element {
  const { plan, trans } = props;
  const cost = plan.cost;
  return (
    <dl className="jp-Hpcctr-summary">
      <div>
        <dt>{trans.__('Expected start')}</dt>
        <dd>{startWords(plan, trans)}</dd>
      </div>
      {cost ? (
        <div>
          <dt>{trans.__('Costs at most')}</dt>
          <dd>{amount(cost.amount, cost.unit)}</dd>
        </div>
      ) : null}
      <div>
        <dt>{trans.__('Image')}</dt>
        <dd>{imageWords(plan, trans)}</dd>
      </div>
    </dl>
  );
}

/** The command's words; a line ends between two of them, not at a hyphen. */
function Command(props: { words: string[] }): JSX.Element {
  return (
    <code>
      {props.words.map((word, number) => (
        <React.Fragment key={number}>
          {number ? ' ' : ''}
          <span>{word}</span>
        </React.Fragment>
      ))}
    </code>
  );
}

export interface IPreviewProps {
  plan: IPlan | null;
  /** Why there is no plan. */
  failure: string;
  busy: boolean;
  /** Why the request that came with a notebook was changed. */
  adapted: string[];
  trans: TranslationBundle;
}

function Script(props: { script: string | null | undefined; title: string }): JSX.Element | null {
  return props.script ? (
    <details>
      <summary>{props.title}</summary>
      <pre tabIndex={0} aria-label={props.title} role="region">
        {props.script}
      </pre>
    </details>
  ) : null;
}

function Nothing(props: IPreviewProps): JSX.Element {
  return <p>{props.busy ? props.trans.__('The scheduler is asked …') : props.trans.__('Nothing yet.')}</p>;
}

/** What would be submitted, when it would start, what it costs, and what was decided on the way. */
export function Preview(props: IPreviewProps): JSX.Element {
  const { plan, trans, adapted } = props;
  const reasons = [...new Set([...adapted, ...(plan?.reasons ?? [])])];
  return (
    <section className="jp-Hpcctr-preview" aria-busy={props.busy}>
      <h3 id="jp-Hpcctr-preview">{trans.__('What would be submitted')}</h3>
      {props.failure ? (
        <div className="jp-Hpcctr-problem" role="alert">
          {props.failure}
        </div>
      ) : null}
      <div role="status" aria-labelledby="jp-Hpcctr-preview">
        {plan?.command ? (
          <>
            <Facts plan={plan} trans={trans} />
            <Command words={plan.command.split(' ')} />
          </>
        ) : null}
        {plan?.command || props.failure ? null : <Nothing {...props} />}
        {reasons.length ? (
          <ul>
            {reasons.map(reason => (
              <li key={reason}>{reason}</li>
            ))}
          </ul>
        ) : null}
      </div>
      <Script script={plan?.script} title={trans.__('Job script')} />
    </section>
  );
}
