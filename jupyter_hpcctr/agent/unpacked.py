"""The guest's files and the engines' scripts, laid out on a node from the archive that this process runs from.

They are not left where the archive is: the kernel's restart needs them, and must work when the job's directory is gone.
"""

from __future__ import annotations

import marshal
import os
import sys
from typing import Any

from ..protocol.container import SCRIPTS

HOLDER = "holder.py"
EARLY, LATER = "guest-early", "guest-later"
"""The archive's entries with all others, first those that a kernel reads while it starts."""
DIRECTORY = "guest"
"""Below the private directory of a node."""
_SCRIPTS = ("spaces.py", "serve.py")
_ONE_OF_THE_LATER = "mpirun/rank.py"


def archive() -> str:
    """Return the path of the archive that this process runs from, "" where it runs from an installed package."""
    return str(getattr(_loader(), "archive", ""))  # zipimport


def lay_holder(run_dir: str) -> None:
    """Write what parks a container, and the engines' scripts, below a node's private directory: all that starts one.

    Raises
    ------
    OSError
        The archive is gone, or the directory cannot be written.
    """
    if path := archive():
        package = __name__.partition(".")[0]
        for directory, room, name in ((DIRECTORY, "guest", HOLDER), *((SCRIPTS, SCRIPTS, each) for each in _SCRIPTS)):
            os.makedirs(f"{run_dir}/{directory}", mode=0o700, exist_ok=True)
            _write(f"{run_dir}/{directory}/{name}", _loader().get_data(f"{path}/{package}/{room}/{name}"))


def lay_early(run_dir: str) -> None:
    """Write what a kernel reads while it starts; raises as ``lay_holder``."""
    _lay(run_dir, EARLY)


def lay_later(run_dir: str) -> None:
    """Write all the rest, if it is not there; raises as ``lay_holder``."""
    if not os.path.exists(f"{run_dir}/{DIRECTORY}/{_ONE_OF_THE_LATER}"):
        _lay(run_dir, LATER)


def _lay(run_dir: str, entry: str) -> None:
    if path := archive():
        found: dict[str, bytes] = marshal.loads(_loader().get_data(f"{path}/{entry}"))  # noqa: S302
        top = f"{run_dir}/{DIRECTORY}"
        for directory in sorted({os.path.dirname(f"{top}/{name}") for name in found} - {top}):
            os.makedirs(directory, mode=0o700, exist_ok=True)
        for name, data in found.items():
            _write(f"{top}/{name}", data)


def _write(path: str, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)


def _loader() -> Any:
    spec = sys.modules[__name__].__spec__
    return None if spec is None else spec.loader
