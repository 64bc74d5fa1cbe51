"""What one process asks of the one that has a kernel: a file, which that one looks for. Both may be on other hosts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from ..edge import files
from ..edge.loop import in_thread
from ..errors import KernelOwned
from .keeper import Claim
from .places import kernels, of_kernel

log = logging.getLogger(__name__)

What = Literal["give", "stop"]
LOOK_S = 1.0
PATIENCE_S = 60.0
"""For an answer; a network file system may take half a minute until another host sees a new file."""
_DIRECTORY = "calls"


def _calls(state_dir: str) -> Path:
    return kernels(state_dir).with_name(_DIRECTORY)


def leave(state_dir: str, kernel_id: str, what: What, by: str) -> Path:
    """Leave a call for whoever has a kernel, and return its file, which goes when the call was heard. Blocking."""
    files.private_dir(_calls(state_dir))
    path = _calls(state_dir) / of_kernel(state_dir, kernel_id).name
    files.write_private(path, json.dumps({"what": what, "by": by}))
    return path


def take(state_dir: str, kernel_id: str, by: str, *, patience_s: float = PATIENCE_S) -> Claim:
    """Have the process that has a kernel give it up, and return the claim. Blocking.

    Raises
    ------
    KernelOwned
        It did not in ``patience_s`` seconds: it may be stopped, or of a version that does not know this.
    """
    directory = of_kernel(state_dir, kernel_id)
    call = leave(state_dir, kernel_id, "give", by)
    until = time.monotonic() + patience_s
    try:
        while True:
            with contextlib.suppress(KernelOwned):
                return Claim(directory)
            if time.monotonic() > until:
                raise KernelOwned("the process that has the kernel does not give it up", hint="end that process first")
            time.sleep(0.1)
    finally:
        call.unlink(missing_ok=True)


def stop(state_dir: str, kernel_id: str, by: str, *, patience_s: float = PATIENCE_S) -> None:
    """Have the process that has a kernel end it; its notebook stays open and is told. Blocking.

    Raises
    ------
    KernelOwned
        It has not heard in ``patience_s`` seconds.
    """
    call = leave(state_dir, kernel_id, "stop", by)
    until = time.monotonic() + patience_s
    while call.exists():
        if time.monotonic() > until:
            call.unlink(missing_ok=True)
            raise KernelOwned("the process that has the kernel does not answer", hint="end that process first")
        time.sleep(0.1)


async def listen(state_dir: str, ours: Callable[[], Iterable[str]], heard: Callable[[str, What, str], None]) -> None:
    """Look for calls for as long as it is awaited; ``heard`` gets the kernel's id, what is asked, and by whom."""
    while True:
        await asyncio.sleep(LOOK_S)
        mine = set(ours())
        if mine:
            for kernel_id, what, by in await in_thread(_heard, state_dir, mine):
                heard(kernel_id, what, by)


def _heard(state_dir: str, ours: set[str]) -> list[tuple[str, What, str]]:
    found: list[tuple[str, What, str]] = []
    with contextlib.suppress(FileNotFoundError):
        for path in _calls(state_dir).iterdir():
            if path.name not in ours:
                continue
            try:
                said = json.loads(files.read_private(path))
                found.append((path.name, said["what"], str(said["by"])))
            except (OSError, ValueError, KeyError) as error:
                log.warning("a call for a kernel cannot be read: %s", error)
            path.unlink(missing_ok=True)
    return found
