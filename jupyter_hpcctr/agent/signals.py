"""Signals, as something that a poll loop sees."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable


def catch(finish: Callable[[str, int], None], warned: Callable[[], None]) -> int:
    """Return a descriptor that is readable after each SIGCHLD and each signal that is for the agent.

    ``finish(why, exit status)`` is called for those that end the job, ``warned()`` for SIGUSR1, by which the scheduler
    says that it will. SIGINT is ignored: it is for the kernel.
    """
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, lambda number, _: finish(f"signal {number}", 128 + number))
    signal.signal(signal.SIGUSR1, lambda *_: warned())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return reading
