"""Removing a container whose processes are gone: its engine's words for that stand in the node's private directory.

They are written before the container is started, so that the next agent on the node can do what one that was killed
could not (``room.sweep``).
"""

from __future__ import annotations

import contextlib
import os

from ..guest import environment
from ..protocol import codec
from ..protocol.container import EngineCommand
from . import room
from .children import Child

NAME = "remove.json"
PATIENCE_S = 10.0


def note(run_dir: str, command: EngineCommand) -> None:
    """Write down what removes a container; raises ``OSError``."""
    room.rewrite(f"{run_dir}/{NAME}", codec.to_json(command))


def carry_out(run_dir: str) -> None:
    """Remove the container of a private directory; nothing where nothing is noted. ``PATIENCE_S`` seconds at most."""
    with contextlib.suppress(OSError, ValueError):  # nothing noted, not ours, or its program is not there any more
        command = codec.from_json(EngineCommand, room.read_private(f"{run_dir}/{NAME}"))
        env = environment.of_command({}, os.environ, (), reads_env_file=True)
        child = Child(command.argv, env=env, cwd="/")
        child.ended(patience_s=PATIENCE_S)
        child.end(patience_s=0)
