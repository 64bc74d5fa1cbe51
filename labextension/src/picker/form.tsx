import { TranslationBundle } from '@jupyterlab/translation';
import { FormComponent } from '@jupyterlab/ui-components';
import type { FieldTemplateProps, ObjectFieldTemplateProps, ValidatorType } from '@rjsf/utils';
import * as React from 'react';
import { IField, IOptions, IProblem, IRequest, ISchema } from '../types';
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
  groups: IOptions['ui']['groups'];
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
  schema: ISchema;
  options: IOptions;
  data: IRequest;
  asked: number;
  problems: Map<string, IProblem[]>;
  onChange: (data: IRequest) => void;
  trans: TranslationBundle;
}

/** Whether a field that is folded away has a value that is not the usual one. */
function unusual(options: IOptions, data: IRequest): boolean {
  const folded = options.ui.groups.slice(1).flatMap(group => group.fields);
  return folded.some(name => (data[name] ?? '') !== (options.defaults[name] ?? ''));
}

function uiSchema(schema: ISchema): { [name: string]: unknown } {
  const fields = Object.entries(schema.properties);
  const ui = fields.map(([name, field]) => [
    name,
    { 'ui:placeholder': field.examples?.[0] ?? '', 'ui:autocomplete': 'off' }
  ]);
  return { ...Object.fromEntries(ui), 'ui:submitButtonOptions': { norender: true } };
}

/** The fields of the server's schema. */
export function ResourceForm(props: IResourceFormProps): JSX.Element {
  const { options, schema, data } = props;
  const [open] = React.useState(() => unusual(options, data));
  const { problems, asked, trans } = props;
  const context: IContext = { problems, groups: options.ui.groups, open, asked, trans };
  return (
    <section className="jp-Hpcctr-form" aria-label={trans.__('Resources')}>
      <FormComponent
        schema={schema as never}
        uiSchema={uiSchema(schema)}
        formData={data as never}
        formContext={context}
        validator={validator as never}
        templates={templates}
        idPrefix={PREFIX}
        tagName="div"
        noValidate
        showErrorList={false}
        onChange={event => props.onChange({ ...data, ...(event.formData as IRequest) })}
      />
    </section>
  );
}
