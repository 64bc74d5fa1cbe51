import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { size } from '../format';
import { Progress } from '../progress';
import { Pulls, pullWords } from '../pulls';
import { ICheck, IPull } from '../types';

/** What was told last of an image that is fetched. */
function usePull(pulls: Pulls, reference: string): IPull | undefined {
  const [, setTurn] = React.useState(0);
  React.useEffect(() => {
    const look = () => setTurn(turn => turn + 1);
    pulls.changed.connect(look);
    return () => void pulls.changed.disconnect(look);
  }, [pulls]);
  return pulls.get(reference);
}

/** How many images have come to the cluster since this was first shown. */
export function useArrived(pulls: Pulls): number {
  const [count, setCount] = React.useState(0);
  React.useEffect(() => {
    const look = (_: Pulls, pull: IPull) => (pull.state === 'done' ? setCount(known => known + 1) : undefined);
    pulls.changed.connect(look);
    return () => void pulls.changed.disconnect(look);
  }, [pulls]);
  return count;
}

interface IFetchProps {
  reference: string;
  pulls: Pulls;
  /** What the registry says of it. */
  check: ICheck | null;
  trans: TranslationBundle;
}

function unfetched(check: ICheck | null, trans: TranslationBundle): string {
  if (check?.size_bytes) {
    return trans.__('Not on the cluster yet: %1 to fetch.', size(check.size_bytes));
  }
  const unsure = check?.found === null ? ` ${check.message}` : '';
  return trans.__('Not on the cluster yet.') + unsure;
}

interface INearProps {
  near: string[];
  onChoose: (reference: string) => void;
  trans: TranslationBundle;
}

/** Names like one that there is not. */
export function Near(props: INearProps): JSX.Element | null {
  return props.near.length ? (
    <div className="jp-Hpcctr-near" role="group" aria-label={props.trans.__('Similar names')}>
      <span>{props.trans.__('Did you mean:')}</span>
      {props.near.map(each => (
        <button key={each} type="button" className="jp-Hpcctr-button" onClick={() => props.onChoose(each)}>
          {each}
        </button>
      ))}
    </div>
  ) : null;
}

/** The offer to fetch an image that is not on the cluster, and how far that is. */
export function Fetch(props: IFetchProps): JSX.Element {
  const { reference, pulls, trans } = props;
  const pull = usePull(pulls, reference);
  const runs = pull?.state === 'running';
  const words = pull && pull.state !== 'done' ? pullWords(pull, trans) : unfetched(props.check, trans);
  return (
    <div className="jp-Hpcctr-fetch">
      <span role="status" aria-label={trans.__('Fetching')} className={pull?.state === 'failed' ? PROBLEM : ''}>
        {words}
      </span>
      {runs ? <Progress fetch={pull} trans={trans} /> : null}
      <button
        type="button"
        className="jp-Hpcctr-button"
        onClick={() => void (runs ? pulls.cancel(reference) : pulls.fetch(reference))}
      >
        {runs ? trans.__('Cancel fetching') : trans.__('Fetch to the cluster')}
      </button>
    </div>
  );
}

const PROBLEM = 'jp-Hpcctr-problem';
