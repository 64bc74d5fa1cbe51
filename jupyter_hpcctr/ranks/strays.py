"""Processes of a world that are below none of its wrappers any more, since a launcher has killed those.

They are known by their environment; and where this process has started the launcher and adopts what that leaves, as
its children that it has not started.
"""

from __future__ import annotations

import os
import signal
import time

from ..agent import children
from ..guest.mpirun import offspring

PATIENCE_S = 0.5
_adopts: list[bool] = []
_jobs: list[tuple[bytes, bytes]] = []


def adopt() -> None:
    """Take over what launchers leave below this process, all of whose own children are ``Child``."""
    _adopts.append(offspring.adopt())


def spare_jobs(variable: str) -> None:
    """Leave alone what is of another job: a job that a rank has submitted has the rank's environment but for this."""
    begin = variable.encode() + b"="
    _jobs[:] = [(begin, begin + os.environ.get(variable, "").encode())]


def end(world: str, rank: int | None = None, *, patience_s: float = PATIENCE_S) -> None:
    """Kill the processes of a world on this node, or of one of its ranks; give up after ``patience_s`` seconds."""
    until = time.monotonic() + patience_s
    while _kill_adopted() + sum(_kill(pid, world, rank) for pid in offspring.processes()) and time.monotonic() < until:
        time.sleep(offspring.TICK_S)


def _kill_adopted() -> int:
    """Kill the children that this process has not started; return how many there were."""
    adopted = set(offspring.children(os.getpid())) - children.running() if any(_adopts) else set()
    for pid in adopted:  # nobody else waits for them: their numbers stay their own
        offspring.kill(pid)
        os.waitpid(pid, os.WNOHANG)
    return len(adopted)


def _kill(pid: int, world: str, rank: int | None) -> bool:
    """Kill a process if it is of that world; return whether it was. One that has ended has no environment."""
    try:
        if not _is_of(pid, world, rank):
            return False
        descriptor = os.pidfd_open(pid)
    except OSError:  # gone, or somebody else's
        return False
    try:
        if _is_of(pid, world, rank):  # and no other that got its number
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _is_of(pid: int, world: str, rank: int | None) -> bool:
    """Raises ``OSError`` where it cannot be known."""
    with open(f"/proc/{pid}/environ", "rb") as file:
        text = file.read()
    wanted = b"HPCCTR_WORLD=" + world.encode()
    if wanted not in text:
        return False
    variables = text.split(b"\0")
    of_rank = rank is None or b"HPCCTR_RANK=%d" % rank in variables
    return wanted in variables and of_rank and not _is_of_another_job(variables)


def _is_of_another_job(variables: list[bytes]) -> bool:
    """Whether it belongs to a job that a rank has submitted."""
    return any(each.startswith(begin) and each != own for begin, own in _jobs for each in variables)
