import * as React from 'react';
import { fetchPart, fetchText, ITrans } from './format';
import { IFetch } from './types';

/** A bar that says how far an image is; without an end where that is not known. */
export function Progress(props: { fetch: IFetch; trans: ITrans }): JSX.Element {
  const { fetch, trans } = props;
  return (
    <progress
      className="jp-Hpcctr-progress"
      aria-label={trans.__('Image being fetched')}
      aria-valuetext={fetchText(fetch, trans)}
      value={fetchPart(fetch)}
      max={1}
    />
  );
}
