"""A kernel's five channels as ipc sockets in a private directory, from a kernel's side."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import zmq

from ..errors import HpcctrError
from . import files, leftovers
from .journal import Journal
from .ports import Port
from .replies import Replies
from .requests import Requests

log = logging.getLogger(__name__)

LOOK_S = 5.0
CHANNELS = {"shell": 1, "iopub": 2, "stdin": 3, "control": 4, "hb": 5}
LATER = ("stdin", "hb")
"""Channels without use before something is asked: a pending kernel of which nothing is asked has no descriptors for
them. A client that connects to them earlier tries again every 100 ms (zmq_setsockopt(3), ZMQ_RECONNECT_IVL)."""
_KINDS = {"shell": zmq.ROUTER, "iopub": zmq.XPUB, "stdin": zmq.ROUTER, "control": zmq.ROUTER, "hb": zmq.REP}


class Curve(NamedTuple):
    """A pair of CURVE keys in Z85 (zmq_curve_keypair(3)), as in Jupyter's connection file."""

    public: bytes
    secret: bytes


class Sockets:
    """Calls ``receive(channel, frames)`` for each message; on iopub those are subscriptions. In the edge loop.

    With ``curve`` only clients are let in that know its public key, and what they say is encrypted. Where there is a
    ``journal``, it is told what passes before anybody else is; so are ``requests``.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        directory: Path,
        receive: Callable[[str, list[bytes]], None],
        curve: Curve | None,
    ) -> None:
        self.ip = str(directory / "front")
        self.journal: Journal | None = None
        self.requests: Requests | None = None
        self._replies = Replies()
        self._context, self._directory, self._receive, self._curve = context, directory, receive, curve
        self._ports: dict[str, Port] = {}
        self._names = tuple(name for name in _KINDS if name not in LATER)
        self._looking: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Listen, and see to it from then on that clients find the files. Called again for a restart.

        Files are removed by jupyter_client at a restart, and by whoever tidies up the place for temporary files.
        The directory is left without write permission (0500), so that the former cannot: a socket that is bound
        twice keeps a descriptor more. Where they are gone all the same, they are made anew.

        Raises
        ------
        OSError, UnsafePath
            At the first time: the directory cannot be used. Later that is logged, because clients that are
            connected need no files.
        """
        if not self._ports:
            leftovers.sweep(self._directory.parent)
            self._bind()
        else:
            self._mend()
        if self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def complete(self) -> None:
        """Listen on all channels: something was asked, or the kernel is there."""
        if len(self._names) < len(_KINDS):
            self._names = tuple(_KINDS)
            self._mend()

    def _bind(self) -> None:
        files.private_dir(self._directory).chmod(0o700)
        leftovers.mark(self._directory)
        for name in self._names:
            if name not in self._ports:
                socket = self._socket(_KINDS[name])
                if name == "shell":
                    socket.router_mandatory = True
                self._ports[name] = Port(socket, functools.partial(self._take, name))
            if not self._path(name).exists():
                self._ports[name].socket.bind(f"ipc://{self._path(name)}")
                self._ports[name].look()
        self._directory.chmod(0o500)

    def _mend(self) -> None:
        try:
            if not all(self._path(name).exists() for name in self._names):
                self._bind()
        except (OSError, zmq.ZMQError, HpcctrError) as error:
            log.warning("clients cannot connect to a kernel: %s", error)

    def _look(self) -> None:
        self._mend()
        self._looking = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def _path(self, name: str) -> Path:
        return Path(f"{self.ip}-{CHANNELS[name]}")

    def _socket(self, kind: int) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        socket.linger = 500
        socket.sndhwm = socket.rcvhwm = 0
        if self._curve is not None:
            socket.curve_server = True
            socket.curve_secretkey = self._curve.secret
        if kind == zmq.ROUTER:
            socket.router_handover = True  # a page that connects again may be here before its last connection is gone
        if kind == zmq.XPUB:
            socket.xpub_verbose = True  # tell of every subscriber, not of the first alone
        return socket

    def close(self) -> None:
        """Stop listening; messages on their way out get half a second."""
        if self._looking is not None:
            self._looking.cancel()
        with contextlib.suppress(OSError):
            self._directory.chmod(0o700)
        for port in self._ports.values():
            port.close()

    def send(self, channel: str, frames: Sequence[bytes]) -> None:
        """Send a message, soon."""
        if self.journal is not None and channel in ("iopub", "shell") and not self.journal.said(channel, frames):
            return
        if self.requests is not None and channel == "shell":
            self.requests.said(frames)
        if channel == "shell":
            self._replies.send(self._ports[channel], frames)
        elif channel in self._ports:  # else nobody listens
            self._ports[channel].send(frames)

    def _take(self, channel: str, message: list[zmq.Frame]) -> None:
        frames = [frame.bytes for frame in message]
        if self.journal is not None and channel == "shell":
            self.journal.asked(frames)
        if self.requests is not None and channel == "shell":
            self.requests.asked(frames)
        if channel == "shell":
            self.complete()
            self._replies.came(self._ports[channel], frames[0])
        self._receive(channel, frames)
