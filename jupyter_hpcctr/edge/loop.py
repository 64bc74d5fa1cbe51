"""One background thread with one event loop, in which everything at the edge lives.

A provisioner is driven by whatever loop its caller has: a server's, nbclient's, or one that runs only
for the length of a blocking call. What must go on between those calls goes on here.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import zmq

T = TypeVar("T")


MOST_SOCKETS = 60_000  # five for each kernel
END_S = 5.0  # for what sockets still have to send


class EdgeLoop:
    """A daemon thread that runs an event loop until the process ends or ``stop`` is called.

    ``context`` is ZeroMQ's, with its threads, for all sockets that live in the loop.
    """

    def __init__(self) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=2)
        self.context.max_sockets = MOST_SOCKETS
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="hpcctr-edge", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        self.loop.close()
        # Here, for nobody waits for this thread long: of a socket that is still open in a shadow of the context,
        # ZeroMQ would wait for the end forever (zmq_ctx_term(3)), and Python starts no thread at its exit.
        self.context.destroy()

    async def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the edge loop and await its result in the caller's loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))

    def wait(self, work: Coroutine[Any, Any, T], timeout_s: float = 30.0) -> T:
        """Run a coroutine in the edge loop and block until it is done (not from the edge loop)."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout_s)

    def post(self, function: Callable[[], object]) -> None:
        """Run a plain function in the edge loop, soon."""
        self.loop.call_soon_threadsafe(function)

    def stop(self) -> None:
        """Cancel what still goes on, and end the loop, its thread and its sockets."""
        if not self.loop.is_closed():
            with contextlib.suppress(concurrent.futures.TimeoutError):
                self.wait(_cancel_others(), timeout_s=1)
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(END_S)


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def in_thread(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run a blocking function outside of the edge loop's thread."""
    try:
        return await asyncio.to_thread(function, *args, **kwargs)
    except RuntimeError as error:
        # At interpreter exit no thread can be started any more, and nobody is kept waiting either.
        if "cannot schedule new futures" not in str(error):
            raise
        return function(*args, **kwargs)


async def in_own_thread(function: Callable[..., T], *args: Any) -> T:
    """Run a function that may take minutes in a thread of its own, for which nobody waits at the process's end."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: BaseException | None) -> None:
        if result.done():
            return
        if error is None:
            result.set_result(value)  # type: ignore[arg-type]
        else:
            result.set_exception(error)

    def work() -> None:
        value, failed = None, None
        try:
            value = function(*args)
        except BaseException as error:  # noqa: BLE001  (raised again where it is awaited)
            failed = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody awaits it
            loop.call_soon_threadsafe(settle, value, failed)

    threading.Thread(target=work, name="hpcctr-work", daemon=True).start()
    return await result
