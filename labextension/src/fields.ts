/** The form's fields for what is chosen so far, and what is said of a value at once. No JupyterLab in here. */
import { ITrans } from './format';
import { ICondition, IField, IFields, IForm, IFormSchema, IOptions, IProblem, IRequest } from './types';

/** The form of the scheduler that a request goes to. */
export function formOf(options: IOptions, data: IRequest): IForm {
  const all = options.schedulers;
  return (all.find(each => each.name === data.scheduler) ?? usual(options)).form;
}

/** The scheduler where none is asked for. */
function usual(options: IOptions): IOptions['schedulers'][number] {
  return options.schedulers.find(each => each.is_default) ?? options.schedulers[0];
}

/** The fields that are folded away and have another value than the site's form begins with. */
export function unusual(options: IOptions, data: IRequest): string[] {
  const folded = formOf(options, data)
    .ui.groups.slice(1)
    .flatMap(group => group.fields);
  const begun = usual(options).form.defaults;
  return folded.filter(name => (data[name] ?? '') !== (begun[name] ?? ''));
}

/** A request for another scheduler: what is no field of the form stays, and the fields begin anew. */
export function switched(options: IOptions, data: IRequest, scheduler: string): IRequest {
  const fields = formOf(options, data).schema.properties;
  const others = Object.entries(data).filter(([name]) => !(name in fields));
  return { ...Object.fromEntries(others), ...formOf(options, { scheduler }).defaults, scheduler };
}

function isSaid(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}

function holds(condition: ICondition['if'], data: IRequest): boolean {
  const chosen = Object.entries(condition?.properties ?? {});
  return (
    (condition?.required ?? []).every(name => isSaid(data[name])) &&
    chosen.every(([name, wanted]) => !isSaid(data[name]) || data[name] === wanted.const)
  );
}

function both(field: IField, more: IField): IField {
  const made = { ...field, ...more };
  if (field.maximum !== undefined && more.maximum !== undefined) {
    made.maximum = Math.min(field.maximum, more.maximum);
  }
  if (field.minimum !== undefined && more.minimum !== undefined) {
    made.minimum = Math.max(field.minimum, more.minimum);
  }
  if (field.enum && more.enum) {
    made.enum = field.enum.filter(name => more.enum?.includes(name));
  }
  return made;
}

function withValue(field: IField, value: unknown): IField {
  const isNew = field.enum && isSaid(value) && !field.enum.includes(String(value));
  return field.enum && isNew ? { ...field, enum: [...field.enum, String(value)] } : field;
}

function isSeen(field: IField, value: unknown): boolean {
  const isChosen = isSaid(value) && value !== field.default;
  return isChosen || !(field.hidden || field.enum?.length === 0);
}

/**
 * The fields that are to be shown, each with all that holds for it: what JSON Schema means by `allOf` and `if`, for
 * the keywords that the server's schema uses. Nothing of a site is decided here; `offers/shown.py` does the same for
 * widgets.
 *
 * A value that there is not is a choice of its field nevertheless, and a field with a value that is not the usual one
 * is shown: what is asked for can be seen, and taken back.
 */
export function shown(schema: IFormSchema, data: IRequest): IFields {
  const fields: IFields = { ...schema.properties };
  for (const each of schema.allOf ?? []) {
    const more = (each.then ?? each).properties ?? {};
    if (holds(each.if, data)) {
      for (const [name, field] of Object.entries(more)) {
        fields[name] = both(fields[name], field === false ? { hidden: true } : field);
      }
    }
  }
  const seen = Object.entries(fields).filter(([name, field]) => isSeen(field, data[name]));
  return Object.fromEntries(seen.map(([name, field]) => [name, withValue(field, data[name])]));
}

function message(field: IField, value: unknown, trans: ITrans): string {
  if (field.type === 'integer') {
    if (typeof value !== 'number' || !Number.isInteger(value)) {
      return trans.__('This is a whole number.');
    }
    if (field.minimum !== undefined && value < field.minimum) {
      return trans.__('At least %1.', field.minimum);
    }
    return field.maximum !== undefined && value > field.maximum ? trans.__('At most %1.', field.maximum) : '';
  }
  if (field.pattern && !new RegExp(field.pattern).test(String(value))) {
    const examples = (field.examples ?? []).join(trans.__(' or '));
    return examples ? trans.__('This is written like %1.', examples) : trans.__('This is one word, without spaces.');
  }
  return '';
}

/** What is wrong with values by themselves; the server says the rest. */
export function wrong(fields: IFields, data: IRequest, trans: ITrans): IProblem[] {
  const found: IProblem[] = [];
  for (const [name, field] of Object.entries(fields)) {
    const value = data[name];
    const text = isSaid(value) ? message(field, value, trans) : '';
    if (text) {
      found.push({ field: name, message: text, hint: '' });
    }
  }
  return found;
}

/** The problems of each field; the server's are taken before our own of the same field. */
export function byField(said: IProblem[], own: IProblem[]): Map<string, IProblem[]> {
  const found = new Map<string, IProblem[]>();
  for (const problem of said) {
    found.set(problem.field, [...(found.get(problem.field) ?? []), problem]);
  }
  for (const problem of own) {
    if (!found.has(problem.field)) {
      found.set(problem.field, [problem]);
    }
  }
  return found;
}

/** A request without what was left empty. */
export function tidy(data: IRequest): IRequest {
  return Object.fromEntries(Object.entries(data).filter(([, value]) => isSaid(value))) as IRequest;
}

/** What may come from a notebook or a command's arguments: image and resources, and nothing that runs or mounts. */
export function harmless(raw: unknown): IRequest {
  const known = ['image', 'scheduler', 'nodes', 'ntasks', 'ntasks_per_node', 'cpus_per_task', 'mem', 'gpus_per_node'];
  known.push('gpu_type', 'time', 'partition', 'account', 'qos', 'constraint');
  const given = typeof raw === 'object' && raw !== null ? (raw as IRequest) : {};
  const taken = known.filter(name => ['string', 'number'].includes(typeof given[name]));
  return Object.fromEntries(taken.map(name => [name, given[name]])) as IRequest;
}
