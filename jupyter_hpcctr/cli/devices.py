"""``jupyter hpcctr devices``: which devices this node describes for containers, and a description of NVIDIA's GPUs."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ..config import load_policy
from ..core.job import Command
from ..devices import found, nvidia
from ..edge import process
from ..errors import CommandError, EngineError
from . import parts

_HEAD = ("DEVICE", "FROM")


def register(commands: parts.Commands[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    actions = parts.group(commands, "devices", "list the devices that containers can have, and describe GPUs")
    more = (
        "They are those of this node: run it in a job to see a compute node's. Descriptions that cannot be used are "
        "said on standard error."
    )
    parts.action(actions, "list", "list the devices that this node describes", more).set_defaults(func=_list)
    more = (
        "It goes to standard output; as a file in /etc/cdi it serves every container engine that reads such "
        "descriptions (CDI)."
    )
    each = parts.action(actions, "generate", "print a description of this node's NVIDIA GPUs", more)
    each.set_defaults(func=_generate)


def _libraries() -> str:
    """Return what ldconfig(8) ``-p`` prints; an empty string where it does not."""
    program = next((path for path in ("/sbin/ldconfig", "/usr/sbin/ldconfig") if Path(path).exists()), "ldconfig")
    try:
        return process.run(Command((program, "-p"))).stdout
    except CommandError:
        return ""


def _list(_: argparse.Namespace) -> int:
    directories, home = load_policy().cdi_dirs, str(Path.home())
    node = found.registry(directories, home=home, libraries=_libraries)
    for problem in node.problems:
        sys.stderr.write(f"{problem}\n")
    rows = [(name, node.specs[name].path) for name in node.devices()]
    places = ", ".join(found.places(directories, home=home))
    print(parts.table(_HEAD, rows) if rows else f"This node describes no devices: {places} have none.")
    return 0


def _generate(_: argparse.Namespace) -> int:
    made = nvidia.discover(ldconfig=_libraries())
    if made is None:
        hint = "run it on a node with GPUs, as a job: its driver's libraries must be there too"
        raise EngineError("this node has no NVIDIA GPU with its driver", hint=hint)
    print(json.dumps(made, indent=2))
    return 0
