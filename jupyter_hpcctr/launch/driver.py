"""Drives one launch's life: hands events to the machine, and has what follows carried out in order."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from ..core.life import Life, advance
from ..core.life import effects as do
from ..core.life import events as on
from ..core.life.state import Deadline

log = logging.getLogger(__name__)

Step = do.OnJob | do.OnFront | do.Say | do.Facts | do.Mark | do.SetExit | do.Remember | do.Forget
CarryOut = Callable[[Step], "Awaitable[None] | None"]


class Driver:
    """Holds a ``Life``, its timers, and the effects that are still to be carried out. In the edge loop.

    An event is taken at once, from wherever it comes. Effects are carried out at once too, unless one before them has
    to be waited for: ``carry_out`` returns what to wait for then. What an effect raises goes to the log; those behind
    it are carried out all the same.
    """

    def __init__(self, carry_out: CarryOut) -> None:
        self.life = Life()
        self._carried_out = self.life
        self._taken = self._finished = 0  # events
        self._do = carry_out
        self._todo: deque[do.Effect | Life] = deque()
        self._busy = False
        self._work: asyncio.Task[None] | None = None
        self._timers: dict[Deadline, asyncio.TimerHandle] = {}
        self._waiters: set[asyncio.Future[None]] = set()

    def tell(self, event: on.Event) -> None:
        """Take an event."""
        self.life, effects = advance(self.life, event)
        self._todo += (*effects, self.life)
        self._taken += 1
        self._go_on()

    async def until(self, met: Callable[[Life], bool]) -> None:
        """Wait until something is true of the life that all events up to now, or later ones, have led to.

        What these have led to is carried out then.
        """
        taken = self._taken
        while self._finished < taken or not met(self._carried_out):
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)

    # -- effects, one after another

    def _go_on(self) -> None:
        if self._busy:
            return  # whoever is at it goes on with what has come
        self._busy = True
        while self._todo:
            work = self._next(self._todo.popleft())
            if work is not None:
                self._work = asyncio.ensure_future(self._wait_for(work))
                return
        self._busy = False

    async def _wait_for(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception:  # noqa: BLE001  (what is behind it must be done whatever becomes of this)
            log.exception("a step of a launch failed")
        self._busy = False
        self._go_on()

    def _next(self, each: do.Effect | Life) -> Awaitable[None] | None:
        match each:
            case Life():
                self._carried_out, self._finished = each, self._finished + 1
                for waiter in self._waiters:
                    if not waiter.done():
                        waiter.set_result(None)
            case do.StartDeadline():
                loop = asyncio.get_running_loop()
                self._timers[each.deadline] = loop.call_later(each.deadline.seconds, self._ring, each.deadline)
            case do.StopDeadline():
                timer = self._timers.pop(each.deadline, None)
                if timer is not None:
                    timer.cancel()
            case _:
                try:
                    return self._do(each)
                except Exception:  # noqa: BLE001  (as above)
                    log.exception("a step of a launch failed: %s", type(each).__name__)
        return None

    def _ring(self, deadline: Deadline) -> None:
        self._timers.pop(deadline, None)
        self.tell(on.TimeUp(deadline))
