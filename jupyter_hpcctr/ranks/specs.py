"""What a node's wrappers read of a world before they start its ranks, with what this node alone knows."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..protocol.container import EngineCommand
from ..protocol.words import ENV_FILE

Enter = Callable[[Sequence[str], str], EngineCommand]
"""Returns what runs a program in the node's container, with the environment of a file."""
SHARED_MEMORY = "/dev/shm"  # noqa: S108  (directories in it are made exclusively, 0700)


def write(spec: Mapping[str, Any], directory: str, *, enter: Enter) -> str:
    """Write a world's spec below a node's ``directory``, and return the world's directory for shared memory.

    Raises
    ------
    OSError
        There is one already, or it cannot be written.
    """
    world = str(spec["world"])
    os.mkdir(f"{directory}/{world}.tmp", 0o700)
    descriptor = os.open(f"{directory}/{world}.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        own = {"dir": spec["dir_inside"]} if spec.get("inside") else _outside(spec, directory, enter)
        memory = _make_shared_memory(world, directory)
        json.dump({**spec, **own, "shared_memory": memory}, file)
    return memory


def _outside(spec: Mapping[str, Any], directory: str, enter: Enter) -> dict[str, Any]:
    """Return how wrappers that are outside put a program into the container."""
    command = enter(spec["argv"], ENV_FILE)
    own = {"dir": directory, "argv": command.argv, "environment": command.environment, "env_file": ENV_FILE}
    return own if command.environment == "process" else {**own, "cwd": os.path.dirname(directory)}


def _make_shared_memory(world: str, directory: str) -> str:
    """Make a directory for MPI's shared memory, "" where there is none: ranks that are killed leave files in it."""
    path = f"{SHARED_MEMORY}/mpi-{os.path.basename(os.path.dirname(directory))}-{world}"
    try:
        os.mkdir(path, 0o700)
    except OSError:
        return ""
    return path
