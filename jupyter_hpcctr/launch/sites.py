"""What schedulers say of their sites, asked once for all who want to know."""

from __future__ import annotations

import asyncio
import os
import pwd
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable

from ..core.facts import Site
from ..core.questions import Asking
from ..core.seams import Scheduler
from ..errors import SchedulerUnreachable

Run = Callable[[str, Asking[Site]], Awaitable[Site]]


class Sites:
    """Remembers each scheduler's last answer; an answer that failed is not one. In the edge loop."""

    def __init__(self, scheduler: Callable[[str], Scheduler], run: Run) -> None:
        self._scheduler, self._run = scheduler, run
        self._known: dict[str, tuple[float, Site]] = {}
        self._failed: dict[str, tuple[float, SchedulerUnreachable]] = {}
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def site(self, name: str, *, max_age_s: float) -> Site:
        """Return what a scheduler said at most ``max_age_s`` ago, or says now.

        Whoever comes while it is being asked waits for that answer, or that failure.

        Raises
        ------
        SchedulerUnreachable
            It does not answer, or cannot be asked here.
        """
        came = time.monotonic()
        async with self._asking[name]:
            at, site = self._known.get(name, (0.0, None))
            if site is None or at < came - max_age_s:
                failed_at, failure = self._failed.get(name, (0.0, None))
                if failure is not None and failed_at >= came:
                    raise failure
                at, site = time.monotonic(), await self._answered(name)
                self._known[name] = at, site
            return site

    async def _answered(self, name: str) -> Site:
        try:
            return await self._ask(name, pwd.getpwuid(os.getuid()).pw_name)
        except SchedulerUnreachable as error:
            self._failed[name] = time.monotonic(), error
            raise

    def asked(self, name: str) -> float:
        """Return when a scheduler's last answer was asked for (``time.monotonic``), now where there is none."""
        return self._known[name][0] if name in self._known else time.monotonic()

    async def controller(self, name: str) -> str:
        """Return the host to which a scheduler's commands talk, without waiting for its accounting.

        Raises
        ------
        SchedulerUnreachable
            As ``site`` does.
        """
        known = self._known.get(name)
        return (await self._ask(name, "") if known is None else known[1]).controller

    async def _ask(self, name: str, user: str) -> Site:
        return await self._run(name, self._scheduler(name).site(user=user))
