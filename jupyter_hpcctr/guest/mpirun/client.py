"""The kernel's end of the socket to the hub: one request at a time, read until its ``end``."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time

from .errors import HubGoneError, MpirunError, RefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import Any

    import zmq

    Event = dict[str, Any]
    Handler = Callable[[Event, list[Any]], None]
    """Is called with each event of a request and its buffers."""

SLICE_S = 0.05  # how late an interrupt may be seen
SILENCE_S = 3.0  # after which the hub is asked whether it is there
PATIENCE_S = 10.0  # for its answer
_FINISHED = "interrupted when the ranks had just finished"
_READY = "interrupted when the ranks were just ready: they keep running"


class Client:
    """A connection that is made when it is needed, and made anew when the hub was lost.

    ``find`` returns the directory with the hub's socket after having made sure that a hub runs.
    ``directory`` is what it returned, ``connections`` how often it was needed.
    """

    def __init__(self, find: Callable[[], str], silence_s: float = SILENCE_S, patience_s: float = PATIENCE_S) -> None:
        self.directory = ""
        self._find = find
        self._silence_s = silence_s
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._pid = 0
        self._id = 0
        self._context: zmq.Context[Any] | None = None
        self._socket: Any = None
        self._monitor: Any = None
        self._poller: Any = None
        self.connections = 0

    def request(
        self,
        op: str,
        fields: dict[str, Any] | None = None,
        handler: Handler | None = None,
        tick: Callable[[], float | None] | None = None,
    ) -> Event:
        """Ask the hub; return the request's ``end``.

        ``handler`` gets every other event. ``tick`` is called at least every 50 ms and returns in how many
        seconds it wants to be called again, or None. An interrupt is handed on to the hub, and the request
        goes on until its end.

        Raises
        ------
        RefusedError
            Another thread of this kernel is waiting for the ranks.
        HubGoneError
            There is no hub any more, or none could be started.
        """
        with self._alone():
            self._connect()
            waiting = _Waiting(self, handler, tick)
            with HeldInterrupts() as interrupts:
                end = waiting.until_end(op, fields or {}, interrupts)
            if (interrupts.take() or waiting.handed_on) and end.get("status") == "ok":
                # Too late for this request: the hub forgets it, so it is for us to see that no other follows.
                end.update(status="interrupted", message=_READY if op in ("start", "restart") else _FINISHED)
            return end

    def connect(self) -> None:
        """Make sure that there is a hub. Raises what ``request`` raises."""
        with self._alone():
            self._connect()

    def close(self) -> None:
        """Close the sockets; the next request makes new ones."""
        with self._lock:
            self._close()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        mine = False
        try:
            with HeldInterrupts() as held:  # or a lock could be taken that nobody gives back
                mine = self._lock.acquire(blocking=False)
            held.pass_on()
            if not mine:
                raise RefusedError("another cell of this notebook uses the ranks: wait for its end, or interrupt it")
            yield
        except HubGoneError:
            self._close()
            raise
        finally:
            if mine:
                self._lock.release()

    def _connect(self) -> None:
        usable = self._socket is not None and self._pid == os.getpid() and os.path.exists(self._path())
        if usable and not self._monitor.poll(0):
            return
        self._close()
        try:
            self.directory = self._find()
        except MpirunError:
            raise
        except Exception as error:  # it comes from who has loaded us, and its text is made for people
            raise HubGoneError(str(error) or type(error).__name__) from None
        with HeldInterrupts() as held:  # half a connection would be in the way of every later request
            self._open()
        held.pass_on()

    def _open(self) -> None:
        import zmq

        context = zmq.Context()
        try:
            socket = context.socket(zmq.DEALER)
            monitor = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
            socket.linger = monitor.linger = 0
            socket.connect(f"ipc://{self._path()}")
            poller = zmq.Poller()
            for each in (socket, monitor):
                poller.register(each, zmq.POLLIN)
        except BaseException:
            context.destroy(linger=0)
            raise
        self._context, self._socket, self._monitor, self._poller = context, socket, monitor, poller
        self._pid = os.getpid()
        self.connections += 1

    def _path(self) -> str:
        return os.path.join(self.directory, "ranks")

    def _close(self) -> None:
        with HeldInterrupts() as held:
            if self._socket is not None and self._pid == os.getpid():  # a forked child has nothing to close
                self._socket.disable_monitor()
                self._monitor.close()
                self._socket.close()
                if self._context is not None:
                    self._context.term()
            self._socket = self._monitor = self._context = None
        held.pass_on()

    def send(self, op: str, fields: dict[str, Any]) -> int:
        """Send a request without waiting; return its number."""
        self._id += 1
        self._socket.send(json.dumps({"id": self._id, "op": op, **fields}).encode())
        return self._id

    def receive(self, seconds: float) -> list[Any] | None:
        """Return the parts of a message, or None if none has come within ``seconds``.

        Raises
        ------
        HubGoneError
            The connection has ended, or its socket has been taken away.
        """
        ready = dict(self._poller.poll(max(0, round(seconds * 1000))))
        if self._socket in ready:
            first, *buffers = self._socket.recv_multipart()
            return [json.loads(first), buffers]
        if self._monitor in ready or not os.path.exists(self._path()):
            raise HubGoneError(
                "the process that looks after the ranks has ended, and the ranks with it",
                "The notebook's variables are untouched. Run the cell again: new ranks are started.",
            )
        return None


class _Waiting:
    """One request on its way to its end. ``handed_on``: whether the hub was told of an interrupt."""

    def __init__(self, client: Client, handler: Handler | None, tick: Callable[[], float | None] | None) -> None:
        self.handed_on = False
        self._client = client
        self._handler = handler
        self._tick = tick
        self._failed: Exception | None = None
        self._heard = time.monotonic()
        self._asked: float | None = None

    def until_end(self, op: str, fields: dict[str, Any], interrupts: HeldInterrupts) -> Event:
        number = self._client.send(op, fields)
        while True:
            if interrupts.take():
                self._client.send("interrupt", {})
                self.handed_on = True
            pause = self._ticked()
            message = self._client.receive(SLICE_S if pause is None else min(SLICE_S, max(0.0, pause)))
            if message is None:
                self._watch()
                continue
            self._heard, self._asked = time.monotonic(), None
            event, buffers = message
            if event.get("id") != number:  # of a request that was given up, or an answer to "are you there?"
                continue
            if event.get("event") == "end":
                if self._failed is not None:
                    raise self._failed
                end: Event = event
                return end
            self._shown(event, buffers)

    def _ticked(self) -> float | None:
        if self._tick is None or self._failed is not None:
            return None
        try:
            return self._tick()
        except Exception as error:
            self._failed = error
            return None

    def _shown(self, event: Event, buffers: list[Any]) -> None:
        """Hand on; if that fails the request is still read to its end, so that the next can begin."""
        if self._handler is None or self._failed is not None:
            return
        try:
            self._handler(event, buffers)
        except Exception as error:
            self._failed = error

    def _watch(self) -> None:
        """Ask a silent hub whether it is there; a cell may say nothing for hours."""
        now = time.monotonic()
        if self._asked is None:
            if now - self._heard >= self._client._silence_s:
                self._asked = now
                self._client.send("status", {})
        elif now - self._asked >= self._client._patience_s:
            raise HubGoneError(
                "the process that looks after the ranks does not answer any more",
                "The notebook's variables are untouched. Run the cell again; if nothing changes, restart the kernel.",
            )


class HeldInterrupts:
    """Counts SIGINT instead of raising within whatever runs. Elsewhere than in the main thread none comes."""

    def __init__(self) -> None:
        self._count = 0
        self._before: Any = None

    def __enter__(self) -> HeldInterrupts:
        if threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGINT)
            if callable(before):  # neither ignored nor a handler that Python could not put back
                self._before = before
                signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        self._count += 1

    def take(self) -> bool:
        """Return whether there was one since the last call."""
        if not self._count:
            return False
        self._count -= 1
        return True

    def pass_on(self) -> None:
        """Give what has come to who had the signal before, once the body is left: Python raises KeyboardInterrupt."""
        while self.take():
            self._before(signal.SIGINT, None)
