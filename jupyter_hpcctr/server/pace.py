"""Telling things at a pace: one a turn of the loop, each thing at most so often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Pace:
    """Calls ``tell(key)`` for keys that were touched; several touches within the interval become one.

    Everything here runs in one loop. Between two calls the loop gets to everything else that waits for it,
    so that news of hundreds of kernels never hold up an answer.

    Parameters
    ----------
    tell : callable
        Called with a key; it looks up what is to be told by then.
    interval_s : float
        Least time between two calls for the same key.
    """

    def __init__(self, tell: Callable[[str], None], interval_s: float) -> None:
        self._tell, self._interval = tell, interval_s
        self._due: dict[str, None] = {}
        self._told: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None

    def touch(self, key: str) -> None:
        """Have a key told, soon."""
        self._due.setdefault(key)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._due:
            now = loop.time()
            self._told = {key: at for key, at in self._told.items() if now - at < self._interval}
            ready = [key for key in self._due if key not in self._told]
            for key in ready:
                del self._due[key]
                self._told[key] = loop.time()
                self._tell(key)
                await asyncio.sleep(0)
            if not ready:
                first = min(self._told[key] for key in self._due)
                await asyncio.sleep(max(first + self._interval - now, 0.001))
