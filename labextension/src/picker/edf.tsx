import { TranslationBundle } from '@jupyterlab/translation';
import { Contents } from '@jupyterlab/services';
import * as React from 'react';
import { Api } from '../api';
import { Failure, sentence } from '../failure';
import { shortName } from '../format';
import { IEdfSource, IRequest } from '../types';
import { Button } from './button';

/** The server takes no longer text (openapi.yaml beside it). */
const MOST_BYTES = 60_000;

/** What can be done with environment definition files; each returns what is to be said, or throws. */
export interface IEdfUses {
  open: (source: IEdfSource, name: string) => Promise<string>;
  save: (path: string) => Promise<string>;
}

export interface IEdfContext {
  api: Pick<Api, 'readEdf' | 'edfText'>;
  contents: Pick<Contents.IManager, 'get' | 'save'>;
  trans: TranslationBundle;
  /** The names of the fields that the form shows. */
  fields: string[];
  request: IRequest;
  /** Fill the form. */
  take: (request: IRequest) => void;
}

async function isThere(contents: IEdfContext['contents'], path: string): Promise<boolean> {
  try {
    await contents.get(path, { content: false });
    return true;
  } catch (error) {
    if ((error as { response?: Response }).response?.status === 404) {
      return false;
    }
    throw error;
  }
}

/** Open and save files for a form. */
export function edfUses(context: IEdfContext): IEdfUses {
  const { api, contents, trans } = context;
  const open = async (source: IEdfSource, name: string) => {
    const found = await api.readEdf(source);
    if (!found.request) {
      throw new Failure(found.problem?.message ?? '', 0, found.problem?.hint, found.problem?.field);
    }
    context.take(found.request);
    const unseen = Object.keys(found.request).filter(key => key !== 'image' && !context.fields.includes(key));
    const more = unseen.length ? trans.__('It also sets what has no field here: %1.', unseen.join(', ')) : '';
    return [trans.__('%1 fills the form.', name), more, ...found.notes].filter(Boolean).join(' ');
  };
  const save = async (path: string) => {
    const { text } = await api.edfText(context.request);
    if (await isThere(contents, path)) {
      throw new Failure(trans.__('There is a file %1 already.', path), 0, trans.__('choose another name'));
    }
    await contents.save(path, { type: 'file', format: 'text', content: text });
    return trans.__('%1 is written.', path);
  };
  return { open, save };
}

function fileName(request: IRequest): string {
  return `${(shortName(request.image ?? 'kernel').match(/[\w.-]+/g) ?? ['kernel']).join('-')}.toml`;
}

export interface IEdfLineProps {
  edf: IEdfUses;
  request: IRequest;
  say: (text: string) => void;
  done: () => void;
  trans: TranslationBundle;
}

/** The button that opens a file of the user's own computer. */
function Upload(props: { open: (chosen: File) => void; trans: TranslationBundle }): JSX.Element {
  const file = React.useRef<HTMLInputElement>(null);
  const onFile = (event: React.ChangeEvent<HTMLInputElement>) => {
    const chosen = event.target.files?.[0];
    if (chosen) {
      props.open(chosen);
    }
    event.target.value = ''; // the same file may be chosen again when it was mended
  };
  return (
    <>
      <Button label={props.trans.__('From this computer…')} onClick={() => file.current?.click()} />
      <input ref={file} type="file" accept=".toml" hidden onChange={onFile} />
    </>
  );
}

/** The line in which a file is named that is opened or written. */
export function EdfLine(props: IEdfLineProps): JSX.Element {
  const { trans, edf } = props;
  const [path, setPath] = React.useState(() => fileName(props.request));
  const [wrong, setWrong] = React.useState('');
  const input = React.useRef<HTMLInputElement>(null);
  React.useEffect(() => input.current?.select(), []);
  const attempt = (work: () => Promise<string>) => {
    setWrong('');
    work().then(
      said => (props.say(said), props.done()),
      error => setWrong(sentence(error))
    );
  };
  const named = path.trim();
  const upload = async (chosen: File) => {
    if (chosen.size > MOST_BYTES) {
      throw new Failure(trans.__('%1 is too large to be an environment definition file.', chosen.name));
    }
    return edf.open({ text: await chosen.text(), name: chosen.name }, chosen.name);
  };
  return (
    <div className="jp-Hpcctr-edf" role="group" aria-label={trans.__('Environment definition file')}>
      <div className="jp-Hpcctr-save">
        <label htmlFor="jp-Hpcctr-edf-path">{trans.__('File on the server')}</label>
        <input
          id="jp-Hpcctr-edf-path"
          ref={input}
          value={path}
          autoComplete="off"
          onChange={event => setPath(event.target.value)}
        />
        <Button label={trans.__('Open EDF')} onClick={() => named && attempt(() => edf.open({ path: named }, named))} />
        <Button label={trans.__('Save as EDF')} onClick={() => named && attempt(() => edf.save(named))} />
        <Upload open={chosen => attempt(() => upload(chosen))} trans={trans} />
        <Button label={trans.__('Back')} onClick={props.done} />
      </div>
      {wrong ? (
        <div className="jp-Hpcctr-problem" role="alert">
          {wrong}
        </div>
      ) : null}
    </div>
  );
}
