"""A ZeroMQ socket in an event loop, without a future for each message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import zmq

from ..delivery import sockets
from ..delivery.kept import Frames

TURN = 200  # messages that are read before others have their turn


class Port:
    """Reads a plain socket whenever something is there; used in the loop in which it was made.

    Parameters
    ----------
    socket : zmq.Socket
        Without high-water mark for what it sends: sending never waits.
    receive : callable
        Is given the frames of each message. What it raises goes to the loop's exception handler.
    """

    def __init__(self, socket: zmq.Socket[bytes], receive: Callable[[list[zmq.Frame]], None]) -> None:
        self.socket = socket
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._fd = int(socket.fd)
        self._again = False
        self._loop.add_reader(self._fd, self._read)
        self.look()

    def send(self, frames: Frames) -> None:
        """Send a message; raises zmq.ZMQError where the socket cannot."""
        try:
            sockets.send(self.socket, frames)
        finally:
            self.look()

    def look(self) -> None:
        """See whether something is there to be read; call it after whatever is done with the socket directly.

        The descriptor tells of a change only once, and any call may take note of it, also one that fails
        (zmq_getsockopt(3), ZMQ_FD).
        """
        if not self._again and self._is_there():
            self._again = True
            self._loop.call_soon(self._read)

    def close(self) -> None:
        """Read no more, and close the socket."""
        if not self.socket.closed:
            self._loop.remove_reader(self._fd)
            self.socket.close()

    def _read(self) -> None:
        self._again = False
        if self.socket.closed:
            return
        for _ in range(TURN):
            try:
                frames = sockets.received(self.socket)
            except zmq.Again:  # the descriptor tells of other changes, too
                return
            try:
                self._receive(frames)
            except Exception as error:  # noqa: BLE001  (of one bad message, not of the socket)
                context = {"message": "a message could not be handled", "exception": error}
                self._loop.call_exception_handler(context)
            if not self._is_there():
                return
        self.look()

    def _is_there(self) -> bool:
        return not self.socket.closed and sockets.is_there(self.socket)
