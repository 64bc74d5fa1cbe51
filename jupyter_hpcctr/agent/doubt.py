"""Whether a kernel that was ended from outside has ended alone, or with its job.

A scheduler that ends the job signals the kernel too, and may do so before it signals the agent.
"""

from __future__ import annotations

import signal
import time

DOUBT_S, TICK_MS = 0.5, 50
_FROM_OUTSIDE = (-signal.SIGTERM, -signal.SIGKILL)


class Doubt:
    """Of one kernel process; made anew for each."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._signalled = False

    def signalled(self, signum: int) -> None:
        """The server has had a signal sent: if it ends the kernel, that is not the scheduler's doing."""
        self._signalled = self._signalled or signum != signal.SIGINT

    @property
    def tick_ms(self) -> int | None:
        """After how long to ask again, None while there is no doubt."""
        return None if self._since is None else TICK_MS

    def holds(self, code: int) -> bool:
        """The kernel has ended with ``code``: whether to wait and see."""
        if code not in _FROM_OUTSIDE or self._signalled:
            return False
        if self._since is None:
            self._since = time.monotonic()
        return time.monotonic() - self._since < DOUBT_S
