"""A kernel's five channels as ipc sockets in a private directory, from a kernel's side."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import zmq

from .ports import Port

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

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        directory: Path,
        receive: Callable[[str, list[bytes]], None],
        curve: Curve | None,
    ) -> None:
        self.ip = str(directory / "front")
        self._context, self._directory, self._receive, self._curve = context, directory, receive, curve
        self._ports: dict[str, Port] = {}

    def open(self) -> None:
        """Listen. Called again for a restart, because jupyter_client removes the ipc files then.

        The directory is left without write permission (0500), so that it cannot: a socket that is bound twice
        keeps a descriptor more. Where it could all the same, as root can, the files are made anew, and so is the
        directory.
        """
        self._directory.mkdir(mode=0o700, exist_ok=True)
        self._directory.chmod(0o700)
        for name, kind in _KINDS.items():
            path = f"{self.ip}-{CHANNELS[name]}"
            if name not in self._ports:
                self._ports[name] = Port(self._socket(kind), functools.partial(self._take, name))
            if not Path(path).exists():
                self._ports[name].socket.bind(f"ipc://{path}")
                self._ports[name].look()
        self._directory.chmod(0o500)

    def _socket(self, kind: int) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        socket.linger = 500
        socket.sndhwm = socket.rcvhwm = 0
        if self._curve is not None:
            socket.curve_server = True
            socket.curve_secretkey = self._curve.secret
        if kind == zmq.XPUB:
            socket.xpub_verbose = True  # tell of every subscriber, not of the first alone
        return socket

    def close(self) -> None:
        """Stop listening; messages on their way out get half a second."""
        with contextlib.suppress(FileNotFoundError):  # somebody has removed it
            self._directory.chmod(0o700)
        for port in self._ports.values():
            port.close()

    def send(self, channel: str, frames: Sequence[bytes | zmq.Frame]) -> None:
        """Send a message, soon."""
        self._ports[channel].send(frames)

    def _take(self, channel: str, frames: list[zmq.Frame]) -> None:
        self._receive(channel, [frame.bytes for frame in frames])
