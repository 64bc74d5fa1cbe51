"""In a kernel that an agent has started: registers ``%hpcctr``, and offers the same as a function of Python."""

from __future__ import annotations

import os
import sys

from . import magic, tee

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Optional, Union

_shells: list[Any] = []


def open_in(shell: Any, directory: str) -> None:
    """Register the magic with the kernel's ``shell``; ``directory`` has the agent's socket file in it."""
    magic.load(shell, os.path.join(directory, "checkpoint"), tee.log_of(sys.stderr))
    _shells[:] = [shell]


def checkpoint(function: Optional[Callable[[], Any]] = None, *, before: Union[str, float, None] = None) -> Any:
    """Run a function before the job's end; ``@checkpoint`` and ``@checkpoint(before=10)`` do the same.

    Parameters
    ----------
    function : callable
        Called without arguments, once, in the main thread: also in the midst of a running cell.
    before : str or number, optional
        How long before the end: minutes, or a text with a unit (``"90s"``).

    Returns
    -------
    callable
        The function.
    """
    if function is None:
        return lambda given: checkpoint(given, before=before)
    _shells[0].magics_manager.magics["line"]["hpcctr"].function(function, before)
    return function
