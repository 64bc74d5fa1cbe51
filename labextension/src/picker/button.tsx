import * as React from 'react';

export interface IButtonProps {
  label: string;
  accept?: boolean;
  busy?: boolean;
  onClick: () => void;
}

/** A button of the dialog; one that is busy stays where it is, and can be reached by the keyboard. */
export function Button(props: IButtonProps): JSX.Element {
  const kind = props.accept ? 'jp-mod-accept' : 'jp-mod-reject';
  return (
    <button
      type="button"
      className={`jp-Dialog-button jp-mod-styled ${kind}`}
      aria-disabled={props.busy || undefined}
      onClick={() => (props.busy ? undefined : props.onClick())}
    >
      {props.label}
    </button>
  );
}
