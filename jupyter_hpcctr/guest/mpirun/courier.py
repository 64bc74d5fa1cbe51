"""The thread of a rank that speaks with its node's relay, whatever the main thread does or waits for."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import select
import signal
import sys
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Optional

    Turn = Callable[[], Optional[int]]

PARENT_S = 1.0
END_S = 1.0
NO_MODULE = 71  # sysexits.h: EX_OSERR, as boot.py says it of a missing ipykernel


class Courier(threading.Thread):
    """Sends what any thread gives it, and hands over what comes.

    ``hear`` is called in this thread with each message, ``turn`` now and then; it returns after how many milliseconds
    it is to be called again at the latest. Neither waits. The process ends when its parent,
    the wrapper that the launcher knows, has ended, or when nobody reads its output any more.
    """

    def __init__(self, address: str, identity: str, hear: Callable[[dict[str, Any]], None], turn: Turn) -> None:
        super().__init__(name="hpcctr", daemon=True)
        self._address, self._identity, self._hear, self._turn = address, identity.encode(), hear, turn
        self._out: collections.deque[bytes] = collections.deque()
        self._socket: Any = None
        self._poller: Any = None
        self._readers = select.poll()
        for descriptor in (1, 2):  # a copy: the user may close these
            self._readers.register(os.dup(descriptor), 0)
        self._awake, self._wake = os.pipe()
        for descriptor in (self._awake, self._wake):
            os.set_blocking(descriptor, False)
        self._parent = os.getppid()
        self._end_by = 0.0

    def send(self, message: dict[str, Any]) -> None:
        """Send a message, from any thread; a value that JSON does not know is sent as its text."""
        self._out.append(json.dumps(message, default=str).encode())
        with contextlib.suppress(BlockingIOError):  # it has been woken often enough
            os.write(self._wake, b"\0")

    def end_soon(self) -> None:
        """End the process in a moment, whatever the main thread does: it may wait for ranks that are gone."""
        self._end_by = time.monotonic() + END_S

    def connect(self) -> None:
        """Connect to the relay; ends the process where that cannot be."""
        try:
            import zmq
        except ImportError as error:
            os.write(2, f"a rank needs pyzmq in the image, as ipykernel does: {error}\n".encode())
            os._exit(NO_MODULE)
        self._socket = socket = zmq.Context().socket(zmq.DEALER)
        socket.setsockopt(zmq.IDENTITY, self._identity)
        socket.setsockopt(zmq.SNDHWM, 0)
        socket.setsockopt(zmq.RCVHWM, 0)
        socket.connect(self._address)
        self._poller = zmq.Poller()
        for each in (socket, self._awake):
            self._poller.register(each, zmq.POLLIN)

    def run(self) -> None:
        """Send and receive until the process ends."""
        # Signals are the main thread's: a stack asked for by SIGUSR1 is to be the user's.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGUSR1, signal.SIGTERM})
        socket, readable = self._socket, select.POLLIN
        while True:
            events = dict(self._poller.poll(self._patience_ms(self._turn())))
            if self._awake in events:
                os.read(self._awake, 65536)
            while self._out:
                socket.send(self._out.popleft())
            while int(socket.events) & readable:
                self._hear(json.loads(socket.recv_multipart()[0]))
            self._may_end()

    def _patience_ms(self, turn_ms: int | None) -> int:
        left = PARENT_S if not self._end_by else min(PARENT_S, max(0.0, self._end_by - time.monotonic()))
        return min(int(left * 1000) + 1, sys.maxsize if turn_ms is None else turn_ms)

    def _may_end(self) -> None:
        if self._end_by and time.monotonic() >= self._end_by:
            os._exit(0)
        orphaned = os.getppid() != self._parent
        if orphaned or any(event & select.POLLERR for _, event in self._readers.poll(0)):
            os._exit(1)


def end_with_parent() -> None:
    """Let the kernel of the operating system end this process with its parent, even while C holds the GIL."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG, prctl(2)
    except (ImportError, OSError, AttributeError):  # the courier looks after its parent, too
        return


def python() -> str:
    """Return the interpreter's name and version, for people."""
    return f"{os.path.basename(sys.executable)} {'.'.join(map(str, sys.version_info[:3]))}"
