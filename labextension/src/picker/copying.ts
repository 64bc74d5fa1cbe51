/** A request as others take it: a kernelspec, a command. */
import { shellWords, shortName } from '../format';
import { IRequest } from '../types';

/** The text of a kernel.json; `jupyter kernelspec install` takes the directory that it lies in. */
export function asKernelspec(request: IRequest, title: string): string {
  const config = { request };
  const argv = Array.isArray(request.argv) && request.argv.length ? request.argv : null;
  const spec = {
    argv: argv ?? ['python3', '-m', 'ipykernel_launcher', '-f', '{connection_file}'],
    display_name: title,
    language: 'python',
    interrupt_mode: 'signal',
    metadata: {
      ...(argv ? {} : { debugger: true }),
      supported_encryption: ['curve'],
      kernel_provisioner: { provisioner_name: 'hpcctr', config }
    }
  };
  return JSON.stringify(spec, null, 2) + '\n';
}

const PAIRS: { [key: string]: string } = { env: '--env', annotations: '--annotation' };

function options(request: IRequest, key: string, value: unknown): string[] {
  if (key === 'mounts' && Array.isArray(value)) {
    return value.flatMap(each => ['--mount', String(each)]);
  }
  if (key === 'devices' && Array.isArray(value)) {
    return value.flatMap(each => ['--device', String(each)]);
  }
  if (PAIRS[key] && typeof value === 'object' && value) {
    return Object.entries(value).flatMap(([name, text]) => [PAIRS[key], `${name}=${text}`]);
  }
  if (key === 'gpu_type' || !['string', 'number'].includes(typeof value)) {
    return []; // a type stands before the number of GPUs
  }
  const typed = key === 'gpus_per_node' && request.gpu_type ? `${request.gpu_type}:${value}` : String(value);
  return [`--${key.replace(/_/g, '-')}`, typed];
}

/** The command that writes the same kernelspec. */
export function asCommand(request: IRequest, title: string): string {
  const name = (shortName(request.image ?? 'kernel').match(/[\w.-]+/g) ?? ['kernel']).join('-');
  const words = ['jupyter', 'hpcctr', 'kernelspec', 'add', name, '--display-name', title];
  return shellWords([...words, ...Object.entries(request).flatMap(([key, value]) => options(request, key, value))]);
}
