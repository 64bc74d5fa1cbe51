"""In a kernel that an agent has started: registers ``%%mpirun``, and asks the agent for the ranks' hub at first use.

``%load_ext jupyter_hpcctr`` works here too. Where the image has no such module, a finder behind all others makes
one that holds the extension's functions and nothing else.
"""

from __future__ import annotations

import os
import sys

from . import magic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

EXTENSION = "jupyter_hpcctr"
ANSWER_S = 30.0
_directory = ""


def open_in(shell: Any, directory: str) -> None:
    """Register the magic with the kernel's ``shell``; ``directory`` has the agent's door in it."""
    global _directory
    _directory = directory
    magic.load(shell, find)
    sys.meta_path.append(Finder())


def here() -> bool:
    """Return whether this process is a kernel with a door."""
    return bool(_directory)


def find() -> str:
    """Return the directory with the hub's socket, after having asked the agent for a hub.

    Raises
    ------
    HubGoneError
        There is no agent any more, it does not answer, or it could not start a hub.
    """
    from .errors import HubGoneError

    path = os.path.join(_directory, "agent")
    if not os.path.exists(path):
        raise HubGoneError("the agent of this kernel is gone", "Restart the kernel.")
    said = _ask(path)
    if said is None:
        raise HubGoneError(
            f"the agent of this kernel has not answered in {ANSWER_S:g} s",
            "The node may be overloaded: run the cell again, or restart the kernel.",
        )
    if not said["ok"]:
        raise HubGoneError(said["why"], "Run the cell again; if that does not help, restart the kernel.")
    return _directory


def _ask(path: str) -> Any:
    import json

    import zmq

    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(f"ipc://{path}")
        socket.send(b'{"op":"ranks"}')
        if not socket.poll(int(ANSWER_S * 1000)):
            return None
        return json.loads(socket.recv())


def load_ipython_extension(shell: Any) -> None:
    """Register the magic; nothing where it is registered already."""
    if "mpirun" not in shell.magics_manager.magics["cell"]:
        magic.load(shell, find)


def unload_ipython_extension(shell: Any) -> None:
    """Take the magic away."""
    magic.unload(shell)


class Finder:
    """Finds ``jupyter_hpcctr`` where nobody else has found it (importlib.abc.MetaPathFinder and Loader)."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return a spec for that one name."""
        if fullname != EXTENSION:
            return None
        from importlib.machinery import ModuleSpec

        return ModuleSpec(fullname, self, origin=__file__)  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """Let the import system make the module."""

    def exec_module(self, module: ModuleType) -> None:
        """Put the extension's functions into it."""
        from ..checkpoint.door import checkpoint

        module.__doc__ = "The %%mpirun of this kernel; jupyter_hpcctr itself is not installed here."
        module.load_ipython_extension = load_ipython_extension  # type: ignore[attr-defined]
        module.checkpoint = checkpoint  # type: ignore[attr-defined]
        module.unload_ipython_extension = unload_ipython_extension  # type: ignore[attr-defined]
