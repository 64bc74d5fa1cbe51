import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { Failure, sentence } from '../failure';
import { ICopies, IKept, IRequest } from '../types';
import { Button } from './button';
import { EdfLine, IEdfUses } from './edf';

export interface IActionsProps {
  request: IRequest;
  title: string;
  start: () => Promise<void>;
  save: (name: string) => Promise<IKept | undefined>;
  saved: () => void;
  edf: IEdfUses;
  /** The request as other programs take it. */
  copies: (title: string) => Promise<ICopies>;
  close: () => void;
  trans: TranslationBundle;
}

async function copy(coming: Promise<string>): Promise<void> {
  if (navigator.clipboard?.write && window.ClipboardItem) {
    // Some browsers let a page copy only while they still handle the click: the text may come later.
    const blob = coming.then(text => new Blob([text], { type: 'text/plain' }));
    return navigator.clipboard.write([new ClipboardItem({ 'text/plain': blob })]);
  }
  const text = await coming;
  if (navigator.clipboard?.writeText) {
    return navigator.clipboard.writeText(text);
  }
  // Pages that do not come by https have no clipboard of their own.
  const { Clipboard } = await import('@jupyterlab/apputils');
  Clipboard.copyToSystem(text);
}

interface ISaveProps extends IActionsProps {
  say: (text: string) => void;
  done: () => void;
}

/** The line in which an environment gets its name. */
function Save(props: ISaveProps): JSX.Element {
  const { trans } = props;
  const [name, setName] = React.useState(props.title);
  const input = React.useRef<HTMLInputElement>(null);
  React.useEffect(() => input.current?.select(), []);
  const save = async () => {
    const kept = name.trim() ? await props.save(name.trim()) : undefined;
    if (kept) {
      props.say(trans.__('“%1” is saved. The launcher and the list of kernels show it.', kept.display_name));
      props.saved();
      props.done();
    }
  };
  return (
    <div className="jp-Hpcctr-save">
      <label htmlFor="jp-Hpcctr-name">{trans.__('Name of the environment')}</label>
      <input
        id="jp-Hpcctr-name"
        ref={input}
        value={name}
        autoComplete="off"
        onChange={event => setName(event.target.value)}
        onKeyDown={event => (event.key === 'Enter' ? void save() : undefined)}
      />
      <Button label={trans.__('Save')} accept onClick={() => void save()} />
      <Button label={trans.__('Back')} onClick={props.done} />
    </div>
  );
}

/** The buttons at the foot of the dialog. */
export function Actions(props: IActionsProps): JSX.Element {
  const { trans, title } = props;
  const [said, say] = React.useState('');
  const [line, setLine] = React.useState<'' | 'save' | 'edf'>('');
  const [busy, setBusy] = React.useState(false);
  const put = async (choose: (copies: ICopies) => string) => {
    const text = props.copies(title).then(choose);
    try {
      await copy(text);
      say(trans.__('Copied.'));
    } catch {
      const said = trans.__('The browser does not let this page copy.');
      say(await text.then(() => said, sentence)); // or there was nothing to copy
    }
  };
  const command = (copies: ICopies) => {
    if (copies.command === null) {
      const hint = trans.__('copy it as a kernelspec');
      throw new Failure(trans.__('The command line has no option for all that is asked for'), 0, hint);
    }
    return copies.command;
  };
  const start = () => {
    setBusy(true);
    void props.start().finally(() => setBusy(false));
  };
  return (
    <div className="jp-Hpcctr-actions">
      {line === 'save' ? <Save {...props} say={say} done={() => setLine('')} /> : null}
      {line === 'edf' ? <EdfLine {...props} say={say} done={() => setLine('')} /> : null}
      <div className="jp-Hpcctr-said" role="status" aria-label={trans.__('Done')}>
        {said}
      </div>
      <div className="jp-Hpcctr-buttons">
        <Button label={trans.__('Save as environment')} onClick={() => setLine('save')} />
        <Button label={trans.__('EDF file…')} onClick={() => setLine('edf')} />
        <Button label={trans.__('Copy as kernelspec')} onClick={() => void put(copies => copies.kernelspec)} />
        <Button label={trans.__('Copy as command')} onClick={() => void put(command)} />
        <span className="jp-Hpcctr-gap" />
        <Button label={trans.__('Cancel')} onClick={props.close} />
        <Button label={trans.__('Start')} accept busy={busy} onClick={start} />
      </div>
    </div>
  );
}
