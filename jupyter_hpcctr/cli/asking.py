"""The options that describe a kernel, the same for ``plan`` and ``kernelspec add``."""

from __future__ import annotations

import argparse

from ..config import load_policy
from ..core.request import KernelRequest, parse
from ..errors import RequestError
from .completion import known_images, offer

REFERENCE = "registry/name:tag, registry/name@sha256:…, oci:DIR:TAG, oci-archive:FILE or docker-archive:FILE"
"""How an image can be named."""
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
    kernel.add_argument("--python", help="Python interpreter in the image (default: python3)")


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
            raise RequestError(f"--env {text!r} is not of the form NAME=VALUE", field="env")
        env[name] = value
    return parse({**raw, "mounts": list(arguments.mount), "devices": list(arguments.device), "env": env})
