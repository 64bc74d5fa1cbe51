"""Where widgets change: in the kernel's event loop, or in the thread that runs a cell and waits for us."""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from .. import compose
from ..launch import Hub

T = TypeVar("T")
log = logging.getLogger(__name__)
SLICE_S = 0.05


class Home:
    """The hub of this process, and the event loop of the cell in which this was made.

    What other threads have to say is posted; it is done in the loop, or by ``drain`` where a cell waits.
    """

    def __init__(self, hub: Hub | None = None) -> None:
        self.hub = hub or compose.here()
        self._posted: collections.deque[Callable[[], object]] = collections.deque()
        self._lock = threading.RLock()
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    @property
    def directory(self) -> str:
        """The directory in which kernels are to start: the notebook's, or the home where that was removed."""
        try:
            return os.getcwd()  # noqa: PTH109
        except FileNotFoundError:
            return str(Path.home())

    def post(self, work: Callable[[], object]) -> None:
        """Have a function called soon; from any thread."""
        self._posted.append(work)
        self._wake(self.drain)

    def drain(self) -> None:
        """Do what was posted; what fails is logged, and the rest is done."""
        with self._lock:
            while self._posted:
                try:
                    self._posted.popleft()()
                except Exception:
                    log.exception("a widget could not be brought up to date")

    def later(self, seconds: float, work: Callable[[], object]) -> Callable[[], None]:
        """Have a function called after a while, unless what is returned is called before.

        Where no loop runs nothing is ever called.
        """
        cancelled: list[bool] = []

        def due() -> None:
            if not cancelled:
                self.post(work)

        def begin() -> None:
            if self._loop is not None:
                self._loop.call_later(seconds, due)

        self._wake(begin)
        return lambda: cancelled.append(True)

    def ask(
        self, work: Coroutine[Any, Any, T], then: Callable[[T], object], failed: Callable[[BaseException], object]
    ) -> concurrent.futures.Future[T]:
        """Run a coroutine in the hub's thread, and post what is to be done with its result."""
        future = asyncio.run_coroutine_threadsafe(work, self.hub.edge.loop)

        def settled(done: concurrent.futures.Future[T]) -> None:
            if done.cancelled():
                return
            error = done.exception()
            self.post((lambda: then(done.result())) if error is None else (lambda: failed(error)))

        future.add_done_callback(settled)
        return future

    def wait(self, future: concurrent.futures.Future[T], timeout_s: float) -> bool:
        """Wait for a future and bring widgets up to date meanwhile; return whether it is done."""
        until = time.monotonic() + timeout_s
        while not future.done() and time.monotonic() < until:
            concurrent.futures.wait([future], timeout=SLICE_S)
            self.drain()
        self.drain()
        return future.done()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the hub's thread and return its result; raises what it raises."""
        future = asyncio.run_coroutine_threadsafe(work, self.hub.edge.loop)
        try:
            while not future.done():
                concurrent.futures.wait([future], timeout=SLICE_S)
                self.drain()
        except KeyboardInterrupt:
            future.cancel()
            raise
        return future.result()

    def _wake(self, work: Callable[[], object]) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody looks any more
                self._loop.call_soon_threadsafe(work)
