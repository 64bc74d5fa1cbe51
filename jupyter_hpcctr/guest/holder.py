"""Keeps a container open for others to join: says which process it is, and waits.

Run as ``python3 -S -E holder.py [FILE]``. FILE (``/hpcctr/run/holder.pid`` unless given) gets the process
id, which is the same inside and outside because no engine of ours makes a pid namespace. The holder
ends on SIGTERM, SIGINT and SIGHUP, and when the engine's command that serves the image has ended, or
the agent that started that. Nothing that it needs after its start lies in the image, so that it also
ends where the image went away first.
"""

from __future__ import annotations

import os
import select
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing would be 20 modules from the image
    from typing import NoReturn

PID_FILE = "/hpcctr/run/holder.pid"


def main(argv: list[str]) -> NoReturn:
    """Write the process id and wait for the end."""
    parents = ancestors()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody's zombies: waitpid(2), "SIGCHLD to SIG_IGN"
    pid_file = argv[1] if len(argv) > 1 else PID_FILE
    write_libc(os.path.dirname(pid_file) + "/libc")
    write_pid(pid_file)
    wait_for_end(parents)


def write_libc(path: str) -> None:
    """Write down the image's C library and its version, ``glibc 2.36``; nothing for one that does not say."""
    try:
        libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):  # musl: confstr(3)
        libc = ""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    except OSError:  # not to be known, then
        return
    try:
        os.write(descriptor, libc.encode())
    finally:
        os.close(descriptor)


def write_pid(path: str) -> None:
    """Write the process id to ``path``, whole or not at all.

    Raises
    ------
    OSError
        The directory is missing or not writable.
    """
    new = f"{path}.{os.getpid()}"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        os.write(descriptor, b"%d\n" % os.getpid())
    finally:
        os.close(descriptor)
    os.replace(new, path)


def ancestors() -> list[int]:
    """Return our parent, and where that one is of our session (the engine's command), its parent too."""
    parent = os.getppid()
    if os.getsid(parent) != os.getsid(0):
        return [parent]
    with open(f"/proc/{parent}/stat", encoding="utf-8", errors="replace") as file:
        return [parent, int(file.read().rpartition(")")[2].split()[1])]  # proc(5): state, ppid


def wait_for_end(parents: list[int]) -> NoReturn:
    """End this process when one of the processes ``parents`` has ended.

    A pidfd rather than PR_SET_PDEATHSIG, which fires when the *thread* ends that started us (prctl(2)).
    By then the image may be gone, and a page of the interpreter that is not in memory yet means SIGBUS
    and a core dump: so every call is made once before, and the end is SIGKILL, not an orderly exit.
    """
    waiting = select.poll()
    wait_ms = -1
    for parent in parents:
        try:
            waiting.register(os.pidfd_open(parent), select.POLLIN)
        except ProcessLookupError:
            os.kill(os.getpid(), signal.SIGKILL)
        except (AttributeError, OSError):  # Linux before 5.3, or an interpreter built for one
            wait_ms = 1000
    first, timeout_ms, number = parents[0], 0, 0
    while True:
        ended = waiting.poll(timeout_ms)
        os.kill(os.getpid(), number)
        timeout_ms = wait_ms
        if ended or os.getppid() != first:
            number = signal.SIGKILL


if __name__ == "__main__":
    main(sys.argv)
