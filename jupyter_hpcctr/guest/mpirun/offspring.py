"""What a process has started, sessions of their own included: who they are, and how a wrapper ends its own.

A process that its parent leaves becomes a child of the nearest ancestor that is a subreaper (prctl(2)), here the
rank's wrapper. So whatever a rank has started is always below its wrapper, and where children are killed theirs come
up in their place, until none are left.
"""

from __future__ import annotations

import os
import select
import signal
import time

SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER, linux/prctl.h
TICK_S = 0.002


def adopt() -> bool:
    """Become the parent of all that our descendants leave; return whether that can be done here."""
    try:
        import ctypes

        done: int = ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    except (ImportError, OSError, AttributeError):  # a Python without ctypes, a libc with other names
        return False
    return done == 0


def children(pid: int) -> list[int]:
    """Return the processes whose parent is ``pid``, zombies included; none where that is gone."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
        return [each for thread in threads for each in _children_of_thread(pid, thread)]  # a child is its thread's
    except OSError:  # gone, or a kernel without this file (CONFIG_PROC_CHILDREN)
        return [each for each in processes() if parent(each) == pid]


def children_of_main_thread(pid: int) -> list[int]:
    """Return the children that a process's main thread has started or adopted, where the kernel lists them.

    That is one file; what other threads have started is not looked for.
    """
    try:
        return _children_of_thread(pid, str(pid))
    except OSError:
        return []


def _children_of_thread(pid: int, thread: str) -> list[int]:
    with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
        return [int(each) for each in file.read().split()]


def has_ended(descriptor: int) -> bool:
    """Whether the process of a pidfd has, with its last thread: a thread inherits the children of another."""
    asked = select.poll()
    asked.register(descriptor, select.POLLIN)
    return bool(asked.poll(0))


def processes() -> list[int]:
    """Return all processes that can be seen."""
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def parent(pid: int) -> int:
    """Return a process's parent (proc(5), "stat"); 0 where it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except (OSError, ValueError):
        return 0


def await_end(pid: int) -> None:
    """Wait until a child has ended, and leave it to be waited for; others that end meanwhile are no zombies."""
    while True:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        if ended is None or ended.si_pid == pid:
            return
        os.waitpid(ended.si_pid, 0)


def end_children(patience_s: float) -> None:
    """Kill this process's children and, where it has adopted them, all below them; give up after ``patience_s``."""
    until = time.monotonic() + patience_s
    while _reap() and time.monotonic() < until:
        for pid in children(os.getpid()):  # nobody else waits for them: their numbers stay their own
            kill(pid)
        time.sleep(TICK_S)


def kill(pid: int) -> None:
    """Kill a child; one that runs as another user, by a program with set-user-id, is left."""
    try:
        os.kill(pid, signal.SIGKILL)
    except PermissionError:
        return


def _reap() -> bool:
    """Take leave of the children that have ended; return whether there are others."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True
