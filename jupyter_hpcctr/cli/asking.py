"""The options that describe a kernel, the same for ``plan`` and ``kernelspec add``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable

from .. import edf
from ..config import load_policy
from ..core.request import KernelRequest, parse, to_dict
from ..errors import RequestError
from .completion import known_images, offer, offer_edf

REFERENCE = "registry/name:tag, registry/name@sha256:…, oci:DIR:TAG, oci-archive:FILE or docker-archive:FILE"
"""How an image can be named."""
_SAME = {"time": "time_minutes", "mem": "mem_mb", "gpus_per_node": "gpu_type"}
"""What an option stands in place of, beside the field of its own name."""
_RESOURCES = {
    "nodes": ("N", "number of nodes (default: 1); the kernel runs on the first"),
    "ntasks": ("N", "number of MPI ranks in total"),
    "ntasks-per-node": ("N", "number of MPI ranks per node"),
    "cpus-per-task": ("N", "number of CPUs per rank"),
    "mem": ("SIZE", "memory per node, for example 4G or 4000M"),
    "gpus-per-node": ("[TYPE:]N", "number of GPUs per node, for example 2 or a100:2"),
    "time": ("TIME", "time limit: minutes, HH:MM:SS or D-HH:MM:SS"),
    "partition": ("NAME", "partition to submit to"),
    "account": ("NAME", "account to charge"),
    "qos": ("NAME", "quality of service"),
    "constraint": ("FEATURES", "features that the nodes must have"),
    "reservation": ("NAME", "reservation to use"),
}


def add_options(to: argparse.ArgumentParser) -> None:
    """Add the request's options; resources have sbatch(1)'s names."""
    kernel = to.add_argument_group("kernel")
    file = kernel.add_argument(
        "--edf",
        metavar="FILE|NAME",
        help="environment definition file to begin with; other options win over it, or are added to it",
    )
    offer_edf(file)
    image = kernel.add_argument("--image", metavar="REF", help=f"OCI image: {REFERENCE}")
    offer(image, known_images)
    engine = kernel.add_argument("--engine", help="container engine, or 'bare' for no container (default: the site's)")
    offer(engine, lambda: load_policy().engines)
    scheduler = kernel.add_argument("--scheduler", help="'slurm', or 'local' for this machine (default: the site's)")
    offer(scheduler, lambda: load_policy().schedulers)
    resources = to.add_argument_group("resources", "As in sbatch(1).")
    for name, (metavar, text) in _RESOURCES.items():
        aliases = ["--gpus"] if name == "gpus-per-node" else []
        resources.add_argument(f"--{name}", *aliases, dest=name.replace("-", "_"), metavar=metavar, help=text)
    kernel.add_argument(
        "--mount",
        action="append",
        default=[],
        metavar="SOURCE[:TARGET[:ro]]",
        help="directory to mount in the container; repeatable",
    )
    kernel.add_argument(
        "--device",
        action="append",
        default=[],
        metavar="VENDOR/CLASS=NAME",
        help="device of the nodes (CDI), beside the GPUs that are asked for; repeatable",
    )
    kernel.add_argument(
        "--env", action="append", default=[], metavar="NAME=VALUE", help="environment variable to set; repeatable"
    )
    kernel.add_argument(
        "--annotation",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="annotation for the container engine's hooks; repeatable",
    )
    kernel.add_argument("--workdir", metavar="DIR", help="where to start in the container (default: as the notebook)")
    kernel.add_argument("--python", help="Python interpreter in the image (default: python3)")


def request(arguments: argparse.Namespace) -> KernelRequest:
    """Read the options into a request, over what an environment definition file says.

    Raises
    ------
    RequestError
        A value cannot be understood.
    """
    base = {} if arguments.edf is None else to_dict(_from_file(arguments.edf))
    names = ["image", "engine", "scheduler", "python", "workdir", *(n.replace("-", "_") for n in _RESOURCES)]
    given: dict[str, object] = {n: v for n in names if (v := getattr(arguments, n)) is not None}
    for name, other in _SAME.items():
        if name in given:
            base.pop(other, None)
    return parse(
        {
            **base,
            **given,
            "mounts": [*_listed(base.get("mounts")), *arguments.mount],
            "devices": [*_listed(base.get("devices")), *arguments.device],
            "env": {**_mapped(base.get("env")), **_pairs(arguments.env, "--env", "NAME=VALUE")},
            "annotations": {
                **_mapped(base.get("annotations")),
                **_pairs(arguments.annotation, "--annotation", "KEY=VALUE"),
            },
        }
    )


def _from_file(name: str) -> KernelRequest:
    found = edf.load(name, env=os.environ, cwd=os.getcwd())  # noqa: PTH109
    for note in found.notes:
        sys.stderr.write(f"note: {note}\n")
    return found.request


def _pairs(texts: Iterable[str], option: str, form: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise RequestError(f"{option} {text!r} is not of the form {form}", field=option[2:])
        found[name] = value
    return found


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []


def _mapped(value: object) -> dict[str, object]:
    return dict(value) if isinstance(value, dict) else {}
