"""A kernel's five channels as ipc sockets in a private directory, from a kernel's side."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import zmq
import zmq.asyncio

from .loop import in_thread

log = logging.getLogger(__name__)

CHANNELS = {"shell": 1, "iopub": 2, "stdin": 3, "control": 4, "hb": 5}
_KINDS = {"shell": zmq.ROUTER, "iopub": zmq.XPUB, "stdin": zmq.ROUTER, "control": zmq.ROUTER, "hb": zmq.REP}


class Curve(NamedTuple):
    """A pair of CURVE keys in Z85 (zmq_curve_keypair(3)), as in Jupyter's connection file."""

    public: bytes
    secret: bytes


class Sockets:
    """Calls ``receive(channel, frames)`` for each message; on iopub those are subscriptions. In the edge loop.

    With ``curve`` only clients are let in that know its public key, and what they say is encrypted.
    """

    def __init__(self, directory: Path, receive: Callable[[str, list[bytes]], None], curve: Curve | None) -> None:
        self.ip = str(directory / "front")
        self._directory, self._receive, self._curve = directory, receive, curve
        self._context = zmq.asyncio.Context()
        self._sockets: dict[str, zmq.asyncio.Socket] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def open(self) -> None:
        """Listen. Called again for a restart, because jupyter_client removes the ipc files then.

        The directory is left without write permission (0500), so that it cannot: a socket that is bound twice
        keeps a descriptor more. Where it could all the same, as root can, the files are made anew.
        """
        self._directory.chmod(0o700)
        for name, kind in _KINDS.items():
            path = f"{self.ip}-{CHANNELS[name]}"
            if name not in self._sockets:
                socket = self._context.socket(kind)
                socket.linger = 500
                socket.sndhwm = socket.rcvhwm = 0
                if self._curve is not None:
                    socket.curve_server = True
                    socket.curve_secretkey = self._curve.secret
                if kind == zmq.XPUB:
                    socket.xpub_verbose = True  # tell of every subscriber, not of the first alone
                self._sockets[name] = socket
                self._tasks.append(asyncio.create_task(self._serve(name, socket)))
            if not Path(path).exists():
                self._sockets[name].bind(f"ipc://{path}")
        self._directory.chmod(0o500)

    async def close(self) -> None:
        """Stop listening; messages on their way out get half a second."""
        self._directory.chmod(0o700)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for socket in self._sockets.values():
            socket.close()
        await in_thread(self._context.term)

    def send(self, channel: str, frames: Sequence[bytes | zmq.Frame], *, copy: bool = True) -> None:
        """Send a message, soon."""
        self._sockets[channel].send_multipart(frames, copy=copy)

    async def _serve(self, name: str, socket: zmq.asyncio.Socket) -> None:
        while True:
            frames = await socket.recv_multipart()
            try:
                self._receive(name, frames)
            except (ValueError, KeyError, TypeError, IndexError):  # of one bad message, not of the channel
                log.exception("a message on %s could not be read", name)
