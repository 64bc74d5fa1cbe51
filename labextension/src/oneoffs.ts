import { ISessionContext, SessionContextDialogs } from '@jupyterlab/apputils';
import { ITranslator } from '@jupyterlab/translation';

type Options = SessionContextDialogs.IKernelOptions;
type Dialogs = { kernelOptions?: (context: ISessionContext, translator?: ITranslator | null) => Options };

/** Whether a kernelspec was made for one start: its metadata say so. */
export function isOneOff(metadata: unknown): boolean {
  return (metadata as { hpcctr?: { saved?: boolean } } | undefined)?.hpcctr?.saved === false;
}

/** The kernels that can be selected, without those made for one start; a notebook's own stays. */
export function withoutOneOffs(options: Options, context: ISessionContext): Options {
  const specs = context.specsManager.specs?.kernelspecs ?? {};
  const own = context.session?.kernel?.name ?? context.kernelPreference.name;
  const stays = (value: string) => {
    const name = (JSON.parse(value) as { name?: string } | null)?.name;
    return !name || name === own || !isOneOff(specs[name]?.metadata);
  };
  const groups = options.groups.map(group => ({ ...group, options: group.options.filter(each => stays(each.value)) }));
  const left = groups.flatMap(group => group.options);
  if (options.groups.some(group => group.options.some(each => each.selected)) && !left.some(each => each.selected)) {
    // Another of the same title was meant.
    for (const each of left.filter(each => each.value === JSON.stringify({ name: own }))) {
      each.selected = true;
    }
  }
  return { ...options, groups };
}

/** Have JupyterLab leave them out wherever it asks for a kernel: in notebooks, consoles and editors. */
export function hideOneOffs(dialogs: Dialogs = SessionContextDialogs): void {
  const all = dialogs.kernelOptions;
  if (all) {
    dialogs.kernelOptions = (context, translator) => withoutOneOffs(all(context, translator), context);
  }
}
