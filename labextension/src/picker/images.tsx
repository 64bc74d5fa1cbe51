import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { shortDigest, size } from '../format';
import { hiddenChoice, moved, shownFor } from '../gallery';
import { IImage, IImages } from '../types';

const OPTION = 'jp-Hpcctr-image-';

function Facts(props: { image: IImage; trans: TranslationBundle }): JSX.Element {
  const { image, trans } = props;
  const facts = [
    image.size_bytes ? size(image.size_bytes) : '',
    image.digest ? shortDigest(image.digest) : '',
    ...image.kernels
  ];
  return (
    <span className="jp-Hpcctr-facts">
      {image.on_cluster ? (
        <span className="jp-Hpcctr-badge jp-mod-here">{trans.__('already on the cluster')}</span>
      ) : null}
      {image.badges.map(badge => (
        <span key={badge.kind + badge.text} className="jp-Hpcctr-badge" data-kind={badge.kind}>
          {badge.text}
        </span>
      ))}
      <span title={image.digest}>{facts.filter(Boolean).join(' · ')}</span>
    </span>
  );
}

interface IOptionProps {
  image: IImage;
  number: number;
  chosen: boolean;
  onChoose: (image: IImage) => void;
  trans: TranslationBundle;
}

const Option = React.memo(function Option(props: IOptionProps): JSX.Element {
  const { image, trans } = props;
  const node = React.useRef<HTMLDivElement>(null);
  React.useEffect(() => {
    if (props.chosen) {
      node.current?.scrollIntoView?.({ block: 'nearest' });
    }
  }, [props.chosen]);
  return (
    <div
      ref={node}
      id={OPTION + props.number}
      className="jp-Hpcctr-image"
      role="option"
      aria-selected={props.chosen}
      onClick={() => props.onChoose(image)}
    >
      <span className="jp-Hpcctr-imageTitle">{image.title || image.reference}</span>
      {image.title ? <span className="jp-Hpcctr-reference">{image.reference}</span> : null}
      {image.description ? <span>{image.description}</span> : null}
      <Facts image={image} trans={trans} />
    </div>
  );
});

export interface IImageListProps {
  /** What is shown: everything known, with what registries have for the text. */
  found: IImages;
  text: string;
  onText: (text: string) => void;
  chosen: string | undefined;
  onChoose: (reference: string) => void;
  /** What is wrong with the choice. */
  problem: string;
  /** What is said of the choice below the list. */
  children?: React.ReactNode;
  trans: TranslationBundle;
}

function Problem(props: { text: string }): JSX.Element | null {
  return props.text ? (
    <div className="jp-Hpcctr-problem" role="alert">
      {props.text}
    </div>
  ) : null;
}

/** An input that has the focus when it is first shown. */
function useFocused(): React.RefObject<HTMLInputElement> {
  const input = React.useRef<HTMLInputElement>(null);
  React.useEffect(() => input.current?.focus(), []);
  return input;
}

/** A text to search for, and a list that the arrow keys go through from either. */
export function ImageList(props: IImageListProps): JSX.Element {
  const { trans, chosen, onChoose } = props;
  const shown = shownFor(props.found.images, props.text, chosen);
  const index = shown.findIndex(image => image.reference === chosen);
  const search = useFocused();
  const active = index < 0 ? undefined : OPTION + index;
  const choose = React.useCallback((image: IImage) => onChoose(image.reference), [onChoose]);
  const onKeyDown = (event: React.KeyboardEvent) => {
    const next = moved(event.key, index, shown.length);
    if (next !== null) {
      event.preventDefault();
      choose(shown[next]);
    }
  };
  return (
    <section className="jp-Hpcctr-images" aria-label={trans.__('Image')}>
      <label htmlFor="jp-Hpcctr-search">{trans.__('Search images')}</label>
      <input
        id="jp-Hpcctr-search"
        ref={search}
        type="search"
        autoComplete="off"
        spellCheck={false}
        placeholder={trans.__('Words, or a full name')}
        aria-controls="jp-Hpcctr-images"
        aria-activedescendant={active}
        aria-describedby="jp-Hpcctr-found"
        value={props.text}
        onChange={event => props.onText(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <Problem text={props.problem} />
      <div
        id="jp-Hpcctr-images"
        className="jp-Hpcctr-imageList"
        role="listbox"
        aria-label={trans.__('Images')}
        aria-activedescendant={active}
        tabIndex={0}
        onKeyDown={onKeyDown}
      >
        {shown.map((image, number) => (
          <Option key={image.reference} {...{ image, number, trans }} chosen={number === index} onChoose={choose} />
        ))}
      </div>
      <OfChoice {...props} />
      <Found count={shown.length} found={props.found} trans={trans} />
    </section>
  );
}

/** What is said of the choice; first what it is, where the search hides it: what is started is always seen. */
function OfChoice(props: IImageListProps): JSX.Element {
  const { trans, onText } = props;
  const hidden = hiddenChoice(props.found.images, props.text, props.chosen);
  return (
    <>
      {hidden ? (
        <div className="jp-Hpcctr-hidden">
          <span role="status" aria-label={trans.__('Chosen image')}>
            {trans.__('Chosen, but hidden by the search: %1', hidden.title || hidden.reference)}
          </span>
          <button type="button" className="jp-Hpcctr-button" onClick={() => onText('')}>
            {trans.__('Clear the search')}
          </button>
        </div>
      ) : null}
      {props.children}
    </>
  );
}

function Found(props: { count: number; found: IImages; trans: TranslationBundle }): JSX.Element {
  const { trans, count } = props;
  return (
    <div id="jp-Hpcctr-found" className="jp-Hpcctr-found" role="status" aria-label={trans.__('Found')}>
      {count ? trans._n('%1 image', '%1 images', count) : trans.__('No image matches.')}
      {props.found.problems.map(each => (
        <div key={each.registry + each.message} className="jp-Hpcctr-problem">
          {each.registry && !each.message.includes(each.registry) ? `${each.registry}: ` : ''}
          {each.message}
        </div>
      ))}
    </div>
  );
}
