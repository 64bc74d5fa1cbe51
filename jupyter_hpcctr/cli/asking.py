"""The options with which a kernel is asked for, the same for ``plan`` and ``kernelspec add``."""

from __future__ import annotations

import argparse

from ..core.request import KernelRequest, parse
from ..errors import RequestError

_RESOURCES = {
    "nodes": "number of nodes",
    "ntasks": "number of MPI ranks in all",
    "ntasks-per-node": "number of MPI ranks on each node",
    "cpus-per-task": "CPUs for each rank",
    "mem": "memory on each node: 4G, 4000M",
    "gpus-per-node": "GPUs on each node: 2, or with a type a100:2",
    "time": "wall time limit: minutes, HH:MM:SS or D-HH:MM:SS",
    "partition": "partition",
    "account": "account to charge",
    "qos": "quality of service",
    "constraint": "node features",
    "reservation": "reservation",
}


def add_options(to: argparse.ArgumentParser) -> None:
    """Add the request's options; resources have sbatch(1)'s names."""
    to.add_argument("--image", metavar="REF", help="OCI image: registry/name:tag, name@sha256:…, oci:DIR:TAG")
    to.add_argument("--engine", help="container engine; 'bare' runs without a container")
    to.add_argument("--scheduler", help="'slurm', or 'local' for none")
    for name, text in _RESOURCES.items():
        aliases = ["--gpus"] if name == "gpus-per-node" else []
        to.add_argument(
            f"--{name}", *aliases, dest=name.replace("-", "_"), metavar="N" if "number" in text else "VALUE", help=text
        )
    to.add_argument(
        "--mount", action="append", default=[], metavar="SOURCE[:TARGET[:ro]]", help="directory to mount; repeatable"
    )
    to.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="environment variable; repeatable")
    to.add_argument("--python", help="the image's Python (default python3)")


def request(arguments: argparse.Namespace) -> KernelRequest:
    """Read the options into a request.

    Raises
    ------
    RequestError
        A value cannot be understood.
    """
    names = ["image", "engine", "scheduler", "python", *(n.replace("-", "_") for n in _RESOURCES)]
    raw: dict[str, object] = {n: v for n in names if (v := getattr(arguments, n)) is not None}
    env: dict[str, str] = {}
    for text in arguments.env:
        name, equals, value = text.partition("=")
        if not equals:
            raise RequestError(f"--env {text!r} is not NAME=VALUE")
        env[name] = value
    return parse({**raw, "mounts": list(arguments.mount), "env": env})
