"""Directories in a place for temporary files, each marked with its process, and the removal of those that were left."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import stat
from pathlib import Path

_OWNER = "owner"
_NAMES = re.compile(r"hpcctr-[0-9a-f]{12}")


def mark(directory: Path) -> None:
    """Say in a directory which process it belongs to: host, boot, pid namespace, pid, and when that was started."""
    path = directory / _OWNER
    path.unlink(missing_ok=True)
    path.symlink_to(" ".join((*_here(), str(os.getpid()), _started(os.getpid()))))


@functools.cache
def sweep(parent: Path) -> None:
    """Remove directories of this user whose processes have ended, once in a process. Blocking.

    Those of other hosts, which may share the place, are left to them.
    """
    with contextlib.suppress(OSError):  # a place that cannot be listed
        for path in parent.iterdir():
            if _NAMES.fullmatch(path.name):
                _remove_if_left(path)


def _remove_if_left(path: Path) -> None:
    with contextlib.suppress(OSError, ValueError):  # not ours, not marked, or made or removed this moment
        found = path.lstat()
        ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
        if ours and _gone(str((path / _OWNER).readlink())):
            path.chmod(0o700)
            shutil.rmtree(path, ignore_errors=True)


def _gone(owner: str) -> bool:
    host, boot, space, pid, started = owner.split(" ")
    here = _here()
    if host != here[0]:
        return False
    return boot != here[1] or (space == here[2] and _started(int(pid)) != started)


def _here() -> tuple[str, str, str]:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return os.uname().nodename, boot, str(Path("/proc/self/ns/pid").readlink())


def _started(pid: int) -> str:
    """Return when a process was started (proc(5), "starttime"), "" where there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return text.rpartition(")")[2].split()[19]
