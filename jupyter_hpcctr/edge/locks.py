"""Locks on files (flock(2)), which hold between the processes of all hosts that share them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_WAIT_S = 1.0
_LOOK_S = 0.05
"""Longer than ``is_locked`` holds a lock."""


@contextlib.contextmanager
def locked(path: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold an exclusive lock on a file for the length of a ``with`` block (flock(2)).

    ``waiting`` is called each second while somebody else holds it; what it raises is raised.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        while waiting is not None and not _lock_at_once(fd):
            waiting()
            time.sleep(_WAIT_S)
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def try_lock(path: Path) -> int | None:
    """Take an exclusive lock on a file (flock(2)), and return what holds it until it is closed, a descriptor.

    Returns
    -------
    int or None
        None where somebody else holds it.

    Raises
    ------
    OSError
        There is no such directory, or its file system has no locks.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        here = _lock_soon(fd) and os.fstat(fd).st_ino == path.stat().st_ino
    except FileNotFoundError:
        here = False  # whoever had it has removed it meanwhile
    except BaseException:
        os.close(fd)
        raise
    if not here:
        os.close(fd)
    return fd if here else None


def is_locked(path: Path) -> bool:
    """Whether somebody holds a file's exclusive lock now; False where there is no such file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _lock_soon(fd: int) -> bool:
    if _lock_at_once(fd):
        return True
    time.sleep(_LOOK_S)  # somebody may only have looked
    return _lock_at_once(fd)


def _lock_at_once(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
