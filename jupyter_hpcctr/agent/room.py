"""The agent's private directory on its node, and the sweeping up of those that were left."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any


def make(run_dir: str, directories: Iterable[str], remove: Callable[[str], None] = lambda _: None) -> None:
    """Make the run directory and what the plan wants in it, all 0700; ``remove`` is as for ``sweep``.

    Raises
    ------
    FileExistsError
        The run directory is there: somebody made it for us to fall into.
    """
    sweep(run_dir, remove)
    mask = os.umask(0o077)  # os.makedirs gives its mode to the last directory alone
    try:
        os.mkdir(run_dir)
        os.symlink(str(os.getpid()), f"{run_dir}/agent")
        for directory in directories:
            os.makedirs(directory, exist_ok=True)
    finally:
        os.umask(mask)


def write(path: str, text: str) -> None:
    """Write a file that only its owner can read; there must be none yet."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)


def rewrite(path: str, text: str) -> None:
    """Write a file of ours again; raises ``OSError`` as ``write``."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    write(path, text)


def read_private(path: str) -> str:
    """Read a file that must be this user's own, closed to others, and no link.

    Raises
    ------
    PermissionError
        It is not: what stands in it would be run in this user's name.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(fd, encoding="utf-8") as file:
        state = os.fstat(fd)
        if state.st_uid != os.getuid() or state.st_mode & 0o077:
            raise PermissionError(f"{path} is not a file of this user's own with mode 0600")
        return file.read()


def age_s() -> float:
    """Return how many seconds ago this process was started, which is when the job was (proc(5), "starttime")."""
    with open("/proc/self/stat", encoding="ascii", errors="replace") as file:
        ticks = int(file.read().rpartition(")")[2].split()[19])
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))


def whereabouts() -> dict[str, Any]:
    """Return where and since when this process runs: ``host``, ``node`` (Slurm's name of it), ``age_s``."""
    return {"host": socket.gethostname(), "node": os.environ.get("SLURMD_NODENAME", ""), "age_s": age_s()}


def sweep(run_dir: str, remove: Callable[[str], None]) -> None:
    """Remove what agents of this user left on this node that were killed before they could tidy up.

    ``run_dir`` is ``…/hpcctr-UID-TOKEN``; each names its agent's process by a link. ``remove`` is told of each
    such directory, while it is still there: to remove its container.
    """
    parent, _, name = run_dir.rpartition("/")
    prefix = name.rpartition("-")[0] + "-"
    for other in os.listdir(parent):
        path = f"{parent}/{other}"
        if not other.startswith(prefix):
            continue
        try:
            gone = os.lstat(path).st_uid == os.getuid() and not os.path.exists(f"/proc/{os.readlink(f'{path}/agent')}")
        except OSError:  # made by somebody else, or this moment
            continue
        if gone:
            remove(path)
            shutil.rmtree(path, ignore_errors=True)

