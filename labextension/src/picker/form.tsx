import { TranslationBundle } from '@jupyterlab/translation';
import { FormComponent } from '@jupyterlab/ui-components';
import type { FieldTemplateProps, ObjectFieldTemplateProps, ValidatorType } from '@rjsf/utils';
import * as React from 'react';
import { formOf, switched, unusual } from '../fields';
import { IField, IFields, IForm, IOptions, IProblem, IRequest } from '../types';
import { Age } from './fresh';

const PREFIX = 'hpcctr';

/**
 * The form is flat, and what is wrong with it is said by the server and by ../fields: the library need not validate.
 * (Its usual validator makes code from text, which sites forbid by their Content-Security-Policy, and is 230 kB.)
 */
const validator = {
  isValid: () => true,
  rawValidation: () => ({ errors: [] }),
  toErrorList: () => [],
  validateFormData: () => ({ errors: [], errorSchema: {} })
} as unknown as ValidatorType;

interface IContext {
  problems: Map<string, IProblem[]>;
  groups: IForm['ui']['groups'];
  open: boolean;
  /** When the figures of what is idle were asked for. */
  asked: number;
  trans: TranslationBundle;
}

function Problems(props: { problems: IProblem[]; id: string }): JSX.Element | null {
  return props.problems.length ? (
    <div className="jp-Hpcctr-problem" role="alert" id={`${props.id}__error`}>
      {props.problems.map(each => (
        <div key={each.message}>
          {each.message}
          {each.hint ? <div className="jp-Hpcctr-hint">{each.hint}</div> : null}
        </div>
      ))}
    </div>
  ) : null;
}

/** JupyterLab's own heads each field with an <h3>, so that inputs have no accessible name; this one has labels. */
function FieldTemplate(props: FieldTemplateProps): JSX.Element {
  if (props.schema.type === 'object') {
    return props.children as JSX.Element;
  }
  const context = props.formContext as IContext;
  const problems = context.problems.get(props.id.slice(PREFIX.length + 1)) ?? [];
  return (
    <div className="jp-Hpcctr-field" data-invalid={problems.length > 0 || undefined}>
      <label htmlFor={props.id}>{props.label}</label>
      {props.children}
      {props.rawDescription ? (
        <div className="jp-Hpcctr-hint" id={`${props.id}__description`}>
          {props.rawDescription}
          {(props.schema as IField).idle ? <Age asked={context.asked} trans={context.trans} /> : null}
        </div>
      ) : null}
      <Problems problems={problems} id={props.id} />
    </div>
  );
}

/** The first group of fields is open, the others unfold. */
function ObjectFieldTemplate(props: ObjectFieldTemplateProps): JSX.Element {
  const { groups, problems, open } = props.formContext as IContext;
  const field = (name: string) => props.properties.find(each => each.name === name)?.content;
  const [first, ...others] = groups;
  return (
    <>
      <div className="jp-Hpcctr-fields">{first?.fields.map(field)}</div>
      {others.map(group => {
        const shown = group.fields.filter(name => props.properties.some(each => each.name === name));
        const wanted = open || shown.some(name => problems.has(name)) || undefined;
        return shown.length ? (
          <details key={group.title} {...(wanted ? { open: true } : {})}>
            <summary>{group.title}</summary>
            <div className="jp-Hpcctr-fields">{shown.map(field)}</div>
          </details>
        ) : null;
      })}
    </>
  );
}

const templates = { FieldTemplate, ObjectFieldTemplate };

export interface IResourceFormProps {
  fields: IFields;
  options: IOptions;
  data: IRequest;
  asked: number;
  problems: Map<string, IProblem[]>;
  onChange: (data: IRequest) => void;
  trans: TranslationBundle;
}

function uiSchema(fields: IFields): { [name: string]: unknown } {
  const ui = Object.entries(fields).map(([name, field]) => [
    name,
    { 'ui:placeholder': String(field.examples?.[0] ?? field.default ?? ''), 'ui:autocomplete': 'off' }
  ]);
  return { ...Object.fromEntries(ui), 'ui:submitButtonOptions': { norender: true } };
}

/** The fields as the library takes them. A default is shown as what an empty field means, and not filled in. */
function jsonSchema(fields: IFields): { type: 'object'; properties: IFields } {
  const bare = Object.entries(fields).map(([name, field]) => [name, { ...field, default: undefined }]);
  return { type: 'object', properties: Object.fromEntries(bare) };
}

/** The fields of the server's schema. */
export function ResourceForm(props: IResourceFormProps): JSX.Element {
  const { options, fields, data } = props;
  const [open] = React.useState(() => unusual(options, data).length > 0);
  const { problems, asked, trans } = props;
  const context: IContext = { problems, groups: formOf(options, data).ui.groups, open, asked, trans };
  const onChange = (filled: IRequest) => {
    const changed = { ...data, ...filled };
    const other = changed.scheduler && changed.scheduler !== data.scheduler ? changed.scheduler : '';
    props.onChange(other ? switched(options, data, other) : changed);
  };
  return (
    <section className="jp-Hpcctr-form" aria-label={trans.__('Resources')}>
      <FormComponent
        schema={jsonSchema(fields) as never}
        uiSchema={uiSchema(fields)}
        formData={data as never}
        formContext={context}
        validator={validator as never}
        templates={templates}
        idPrefix={PREFIX}
        tagName="div"
        noValidate
        showErrorList={false}
        onChange={event => onChange(event.formData as IRequest)}
      />
    </section>
  );
}
