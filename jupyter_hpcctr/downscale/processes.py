"""Which processes belong to a cluster or a local job, read from /proc, and how they are ended.

No pid file is believed: a process is a cluster's because its program, its words, its work directory or
its environment say so at the moment of looking (proc(5)), and it is signalled only while its start
time is the one that was seen.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

DAEMONS = ("munged", "slurmctld", "slurmd", "slurmstepd")


class Process(NamedTuple):
    """One process; ``start`` is its start time in clock ticks since boot (proc(5), field 22)."""

    pid: int
    start: int
    parent: int
    name: str
    words: tuple[str, ...] = ()


Look = Callable[[], tuple[Process, ...]]
"""Looks for processes now."""


def of_cluster(directory: Path) -> tuple[Process, ...]:
    """Return the cluster's daemons, job steps and jobs' processes, without the caller and its ancestors."""
    everything = {process.pid: process for process in mine()}
    spared = _ancestors(everything, os.getpid())
    own = {pid: p for pid, p in everything.items() if _is_daemon(p, directory) or _is_job(p, directory)}
    steps = {pid for pid, p in own.items() if p.name in ("slurmd", "slurmstepd")}
    own.update({pid: p for pid, p in everything.items() if _ancestors(everything, p.parent) & steps})
    return tuple(process for pid, process in sorted(own.items()) if pid not in spared)


def descendants(pid: int) -> tuple[Process, ...]:
    """Return the processes below a process, itself not among them."""
    everything = {process.pid: process for process in mine()}
    return tuple(p for p in everything.values() if p.pid != pid and pid in _ancestors(everything, p.pid))


def resident_mb(processes: Iterable[Process]) -> int:
    """Return the memory that processes hold together, in MiB (proc(5), statm; shared pages count each time)."""
    pages = 0
    for process in processes:
        with contextlib.suppress(OSError):
            pages += int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def is_alive(process: Process) -> bool:
    """Whether the very process that was seen still runs; one that only waits to be collected does not."""
    now = read(process.pid)
    return now is not None and now.start == process.start


def send(processes: Iterable[Process], signum: signal.Signals) -> None:
    """Signal those processes that still are the ones that were seen."""
    for process in processes:
        if is_alive(process):
            try:
                os.kill(process.pid, signum)
            except ProcessLookupError:
                continue


def end(look: Look, *, grace_s: float) -> tuple[Process, ...]:
    """End all that ``look`` finds: SIGTERM, after ``grace_s`` seconds SIGKILL; return what is left."""
    send(look(), signal.SIGTERM)
    left = wait_gone(look, timeout_s=grace_s)
    if left:
        send(left, signal.SIGKILL)
        left = wait_gone(look, timeout_s=5.0, kill=True)
    return left


def wait_gone(look: Look, *, timeout_s: float, kill: bool = False) -> tuple[Process, ...]:
    """Wait until ``look`` finds nothing; return what it found last. ``kill`` kills what turns up."""
    deadline = time.monotonic() + timeout_s
    while True:
        left = look()
        if not left or time.monotonic() > deadline:
            return left
        if kill:
            send(left, signal.SIGKILL)
        time.sleep(0.03)


def mine() -> Iterator[Process]:
    """Yield the calling user's processes."""
    uid = os.getuid()
    for entry in os.scandir("/proc"):
        if not entry.name.isdecimal():
            continue
        try:
            owner = entry.stat().st_uid
        except OSError:
            continue
        found = read(int(entry.name)) if owner == uid else None
        if found is not None:
            yield found


def read(pid: int) -> Process | None:
    """Return a process, None where there is none or it only waits to be collected."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return None
    # the name in brackets may hold anything, even ") Z 1"
    fields = stat[stat.rfind(")") + 2 :].split()
    if fields[0] in "ZX":
        return None
    argv = tuple(os.fsdecode(words).rstrip("\0").split("\0"))
    return Process(pid, int(fields[19]), int(fields[1]), _program(pid), argv)


def _program(pid: int) -> str:
    """Return a daemon's plain name ("slurmd" for Debian's slurmd-wlm), else the program's file name."""
    try:
        name = Path(f"/proc/{pid}/exe").readlink().name.removesuffix(" (deleted)")
    except OSError:
        return ""
    plain = name.removesuffix("-wlm")
    return plain if plain in DAEMONS else name


def _is_daemon(process: Process, directory: Path) -> bool:
    if process.name not in DAEMONS:
        return False
    below = f"{directory}/"
    if any(word.startswith(below) or f"={below}" in word for word in process.words):
        return True
    try:
        cwd = str(Path(f"/proc/{process.pid}/cwd").readlink()).removesuffix(" (deleted)")
    except OSError:
        return False
    return cwd.startswith(below)


def _is_job(process: Process, directory: Path) -> bool:
    """Whether a process was started by one of the cluster's slurmd, wherever it has gone since."""
    try:
        env = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    conf = b"SLURM_CONF=" + os.fsencode(directory) + b"/etc/slurm.conf"
    return conf in env and any(word.startswith(b"SLURMD_NODENAME=") for word in env)


def _ancestors(everything: dict[int, Process], pid: int) -> set[int]:
    seen: set[int] = set()
    while pid in everything and pid not in seen:
        seen.add(pid)
        pid = everything[pid].parent
    return seen
