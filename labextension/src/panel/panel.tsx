import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';
import { cancel, open, remove, restart, take } from '../actions';
import { checkpointText } from '../checkpoint';
import { IContext, LOG, NEW } from '../context';
import { endingName, fetchText, fullName, jobName, leftText, minutesLeft, moment } from '../format';
import { ownerText, phases, shortName, stateName } from '../format';
import { isFinal, isHere } from '../model';
import { Progress } from '../progress';
import { IJob } from '../types';

const TICK_MS = 30_000;

function when(context: IContext, job: IJob): string {
  const { trans, jobs } = context;
  const left = minutesLeft(job, jobs.now());
  const now = new Date();
  if (left !== null) {
    return trans.__('%1, until %2', leftText(left, trans), moment(job.ends ?? '', now));
  }
  if (isFinal(job)) {
    return job.submitted ? trans.__('submitted %1', moment(job.submitted, now)) : '';
  }
  return job.expected_start ? trans.__('expected start %1', moment(job.expected_start, now)) : '';
}

function Facts(props: { context: IContext; job: IJob }): JSX.Element {
  const { context, job } = props;
  const why = isFinal(job) ? endingName(job.ending, context.trans) : job.reason;
  const facts = [job.job ? jobName(job, context.trans) : '', job.nodes, when(context, job)].filter(Boolean);
  const took = phases(job, context.trans);
  return (
    <>
      <div className="jp-Hpcctr-state" data-state={job.state}>
        <strong>{stateName(job.state, context.trans)}</strong>
        {why ? <span> ({why})</span> : null}
      </div>
      <div>{facts.join(' · ')}</div>
      {job.state === 'fetching' && job.fetch ? (
        <>
          <Progress fetch={job.fetch} trans={context.trans} />
          <div className="jp-Hpcctr-hint">{fetchText(job.fetch, context.trans)}</div>
        </>
      ) : job.message ? (
        <div className="jp-Hpcctr-hint">{job.message}</div>
      ) : null}
      {job.checkpoint && job.checkpoint.state !== 'none' ? (
        <div className="jp-Hpcctr-hint">{checkpointText(job, context.jobs.now(), context.trans)}</div>
      ) : null}
      {job.error ? (
        <div className="jp-Hpcctr-problem">
          {job.error.message} <span className="jp-Hpcctr-hint">{job.error.hint}</span>
        </div>
      ) : null}
      {took ? <div className="jp-Hpcctr-hint jp-Hpcctr-phases">{took}</div> : null}
      {isHere(job) ? null : <div className="jp-Hpcctr-owner">{ownerText(job, context.trans)}</div>}
    </>
  );
}

function titleOf(job: IJob): string {
  return job.notebook ?? (shortName(job.image) || job.kernel_name);
}

interface IRowProps {
  context: IContext;
  job: IJob;
  /** Changes when the time that is left has to be counted anew. */
  tick: number;
}

const Row = React.memo(function Row(props: IRowProps): JSX.Element {
  const { context, job } = props;
  const { trans, app } = context;
  const title = titleOf(job);
  const here = isHere(job);
  const final = isFinal(job);
  const button = (label: string, run: () => void) => (
    <button
      type="button"
      className="jp-Hpcctr-button"
      aria-label={label}
      title={`${label}: ${fullName(job, trans)}`}
      onClick={run}
    >
      {label}
    </button>
  );
  return (
    <li className="jp-Hpcctr-job">
      <div className="jp-Hpcctr-jobTitle" title={title}>
        {title}
      </div>
      {job.image ? (
        <div className="jp-Hpcctr-hint" title={`${job.image} ${job.digest}`.trim()}>
          {shortName(job.image)}
        </div>
      ) : null}
      <Facts context={context} job={job} />
      <div className="jp-Hpcctr-rowButtons">
        {final ? null : button(trans.__('Cancel job'), () => void cancel(context, job))}
        {here || final ? null : button(trans.__('Take over'), () => void take(context, job))}
        {here && job.kernel_id ? button(trans.__('Restart'), () => void restart(context, job)) : null}
        {button(trans.__('Log'), () => void app.commands.execute(LOG, { id: job.id }))}
        {here && job.notebook ? button(trans.__('Open notebook'), () => void open(context, job)) : null}
        {final ? button(trans.__('Remove'), () => void remove(context, job)) : null}
      </div>
    </li>
  );
});

function List(props: { context: IContext }): JSX.Element {
  const { context } = props;
  const { trans, jobs } = context;
  const [tick, setTick] = React.useState(0);
  React.useEffect(() => {
    const timer = window.setInterval(() => setTick(each => each + 1), TICK_MS);
    return () => window.clearInterval(timer);
  }, []);
  const shown = jobs.all;
  return (
    <>
      {jobs.problem ? (
        <div className="jp-Hpcctr-problem" role="alert">
          {jobs.problem}
        </div>
      ) : null}
      {shown.length ? (
        <ul className="jp-Hpcctr-jobs" aria-label={trans.__('Cluster jobs')}>
          {shown.map(job => (
            <Row key={job.id} context={context} job={job} tick={isFinal(job) ? 0 : tick} />
          ))}
        </ul>
      ) : (
        <p className="jp-Hpcctr-empty">
          {jobs.loaded ? trans.__('No jobs. Kernels that run on the cluster are listed here.') : trans.__('Loading …')}
        </p>
      )}
    </>
  );
}

/** The content of the side panel. */
export function jobList(context: IContext): ReactWidget {
  const { jobs, trans, app } = context;
  const body = ReactWidget.create(
    <>
      <div className="jp-Hpcctr-bar">
        <h2>{trans.__('Cluster jobs')}</h2>
        <button type="button" className="jp-Hpcctr-button" onClick={() => void app.commands.execute(NEW)}>
          {trans.__('New…')}
        </button>
        <button type="button" className="jp-Hpcctr-button" onClick={() => void jobs.refresh()}>
          {trans.__('Refresh')}
        </button>
      </div>
      <UseSignal signal={jobs.changed}>{() => <List context={context} />}</UseSignal>
    </>
  );
  body.addClass('jp-Hpcctr-panelBody');
  return body;
}
