/** What the form shows for a choice of partition, and what it says of a value at once. No JupyterLab in here. */
import { ITrans } from './format';
import { IField, IOptions, IPartition, IProblem, IRequest, IScheduler, ISchema } from './types';

type Fields = { [name: string]: IField };

function least(...values: (number | null | undefined)[]): number | undefined {
  const known = values.filter((value): value is number => typeof value === 'number');
  return known.length ? Math.min(...known) : undefined;
}

function chosenScheduler(options: IOptions, data: IRequest): IScheduler | undefined {
  const wanted = data.scheduler ?? options.defaults.scheduler;
  return options.schedulers.find(each => each.name === wanted) ?? options.schedulers.find(each => each.is_default);
}

/** The partition that a request goes to, as far as it can be known here. */
export function chosenPartition(options: IOptions, data: IRequest): IPartition | undefined {
  const partitions = chosenScheduler(options, data)?.partitions ?? [];
  return partitions.find(each => each.name === data.partition) ?? partitions.find(each => each.is_default);
}

function forPartition(fields: Fields, partition: IPartition, trans: ITrans): void {
  const idle = trans.__('%1 of %2 nodes are idle', partition.nodes_idle, partition.nodes_total);
  const cpus = partition.cpus_idle === null ? '' : trans.__(', %1 CPUs', partition.cpus_idle);
  if (fields.partition) {
    fields.partition.description = idle + cpus;
    fields.partition.idle = true;
  }
  if (fields.nodes) {
    fields.nodes.maximum = least(fields.nodes.maximum, partition.nodes_total || null, partition.max_nodes);
    fields.nodes.description = fields.partition ? trans.__('At most %1', fields.nodes.maximum) : idle + cpus;
    fields.nodes.idle = !fields.partition;
  }
  if (fields.cpus_per_task && partition.cpus_per_node) {
    fields.cpus_per_task.maximum = partition.cpus_per_node;
    fields.cpus_per_task.description = trans.__('A node has %1', partition.cpus_per_node);
  }
  if (fields.constraint?.enum && partition.features.length) {
    fields.constraint.enum = fields.constraint.enum.filter(name => partition.features.includes(name));
  }
}

function forGpus(fields: Fields, partition: IPartition, data: IRequest, trans: ITrans): void {
  const gpus = partition.gpus;
  if (!gpus.length) {
    // What a request asks for already stays to be seen, and to be taken back.
    for (const name of ['gpus_per_node', 'gpu_type']) {
      if (!data[name]) {
        delete fields[name];
      }
    }
    return;
  }
  const types = gpus.map(each => each.type).filter(Boolean);
  const chosen = gpus.filter(each => !data.gpu_type || each.type === data.gpu_type);
  if (fields.gpus_per_node) {
    fields.gpus_per_node.maximum = Math.max(0, ...chosen.map(each => each.per_node));
    fields.gpus_per_node.description = gpus
      .map(each => (each.idle === null ? '' : trans.__('%1 %2 idle', each.idle, each.type || trans.__('GPUs'))))
      .filter(Boolean)
      .join(', ');
    fields.gpus_per_node.idle = fields.gpus_per_node.description !== '';
  }
  if (fields.gpu_type) {
    fields.gpu_type.enum = types;
    if (!types.length && !data.gpu_type) {
      delete fields.gpu_type;
    }
  }
}

function keepChosen(fields: Fields, data: IRequest): void {
  for (const [name, field] of Object.entries(fields)) {
    const value = data[name];
    // A value that this site does not have is shown, with what the server says of it beside it.
    if (field.enum && typeof value === 'string' && value && !field.enum.includes(value)) {
      field.enum = [...field.enum, value];
    }
    if (field.enum && !field.enum.length) {
      delete field.enum;
    }
  }
}

/** The schema of the form for what is chosen so far: limits of the partition, counts of what is idle. */
export function narrowed(options: IOptions, data: IRequest, trans: ITrans): ISchema {
  const fields: Fields = {};
  for (const [name, field] of Object.entries(options.schema.properties)) {
    fields[name] = { ...field };
  }
  const scheduler = chosenScheduler(options, data);
  const partition = chosenPartition(options, data);
  if (scheduler && !scheduler.is_default) {
    for (const name of ['partition', 'account', 'qos', 'constraint']) {
      delete fields[name];
    }
  } else if (partition) {
    forPartition(fields, partition, trans);
  }
  if (partition) {
    forGpus(fields, partition, data, trans);
  }
  const account = scheduler?.accounts.find(each => each.name === data.account);
  if (fields.qos && account?.qos.length) {
    fields.qos.enum = account.qos;
  }
  keepChosen(fields, data);
  return { ...options.schema, properties: fields };
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
export function wrong(schema: ISchema, data: IRequest, trans: ITrans): IProblem[] {
  const found: IProblem[] = [];
  for (const [name, field] of Object.entries(schema.properties)) {
    const value = data[name];
    const text = value === undefined || value === null || value === '' ? '' : message(field, value, trans);
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
  return Object.fromEntries(
    Object.entries(data).filter(([, value]) => value !== undefined && value !== null && value !== '')
  ) as IRequest;
}

/** What may come from a notebook or a command's arguments: image and resources, and nothing that runs or mounts. */
export function harmless(raw: unknown): IRequest {
  const known = ['image', 'scheduler', 'nodes', 'ntasks', 'ntasks_per_node', 'cpus_per_task', 'mem', 'gpus_per_node'];
  known.push('gpu_type', 'time', 'partition', 'account', 'qos', 'constraint');
  const given = typeof raw === 'object' && raw !== null ? (raw as IRequest) : {};
  const taken = known.filter(name => ['string', 'number'].includes(typeof given[name]));
  return Object.fromEntries(taken.map(name => [name, given[name]])) as IRequest;
}
