"""The kernels that other processes have left, by their records. Blocking."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from pathlib import Path

from ..edge import locks
from ..errors import HpcctrError, KernelOwned, RecordUnreadable
from . import record
from .keeper import LOCK, Claim
from .places import kernels, of_kernel
from .record import Record

log = logging.getLogger(__name__)


def recorded(state_dir: str, *, but: Collection[str] = ()) -> list[Record]:
    """Return what is recorded of each kernel of this user, whichever process has it; ``but`` are kernels' ids."""
    found, unreadable = looked_through(state_dir, but=but)
    for error in unreadable:
        log.warning("%s", error)
    return found


def looked_through(state_dir: str, *, but: Collection[str] = ()) -> tuple[list[Record], list[RecordUnreadable]]:
    """Return all records, and what is wrong with those that cannot be read."""
    found, unreadable = [], []
    for directory in _directories(state_dir):
        try:
            if directory.name not in but:
                found.append(record.read(directory))
        except FileNotFoundError:
            continue  # it has just begun, or ended
        except RecordUnreadable as error:
            unreadable.append(error)
    return found, unreadable


def is_owned(state_dir: str, was: Record) -> bool:
    """Whether a process has a kernel now."""
    return locks.is_locked(of_kernel(state_dir, was.kernel.id) / LOCK)


def left(state_dir: str) -> Iterator[tuple[Record, Claim]]:
    """Yield the kernels that no process has, each claimed for this one."""
    for directory in _directories(state_dir):
        try:
            claim = Claim(directory)
        except KernelOwned:
            continue
        except (OSError, HpcctrError) as error:
            log.warning("a kernel's directory cannot be used: %s", error)
            continue
        try:
            yield record.read(directory), claim
        except FileNotFoundError:
            claim.remove()  # its process ended before there was anything to record
        except RecordUnreadable as error:
            log.warning("%s", error)
            claim.release()


def _directories(state_dir: str) -> list[Path]:
    try:
        return sorted(each for each in kernels(state_dir).iterdir() if each.is_dir() and not each.is_symlink())
    except FileNotFoundError:
        return []
