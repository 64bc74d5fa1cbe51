"""Answers that are kept for a while: asked for once by however many, renewed behind the caller's back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """What ``make`` has returned last.

    Younger than ``fresh_s`` it is simply returned; younger than ``stale_s`` it is returned too, and made anew
    meanwhile. Of several that wait, one has it made. Used in one loop.
    """

    def __init__(self, make: Callable[[], Awaitable[T]], *, fresh_s: float, stale_s: float) -> None:
        self._make, self._fresh, self._stale = make, fresh_s, stale_s
        self._value: tuple[float, T] | None = None
        self._making: asyncio.Task[T] | None = None

    async def get(self, *, anew: bool = False) -> tuple[T, float]:
        """Return the value and its age in seconds; raises what ``make`` raises where there is no value."""
        loop = asyncio.get_running_loop()
        if self._value is not None and not anew:
            made_at, value = self._value
            age = loop.time() - made_at
            if age > self._fresh:
                self._renew().add_done_callback(_heard)
            if age <= self._stale:
                return value, age
        if anew and self._making is not None and not self._making.done():
            await asyncio.wait([self._making])  # that was begun before, and may know less
        return await asyncio.shield(self._renew()), 0.0

    def _renew(self) -> asyncio.Task[T]:
        if self._making is None or self._making.done():
            self._making = asyncio.get_running_loop().create_task(self._made())
        return self._making

    async def _made(self) -> T:
        value = await self._make()
        self._value = (asyncio.get_running_loop().time(), value)
        return value


def _heard(task: asyncio.Task[T]) -> None:
    # A renewal that failed with nobody waiting is tried again at the next question.
    if not task.cancelled():
        task.exception()
