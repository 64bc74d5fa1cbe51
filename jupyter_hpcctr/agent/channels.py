"""The kernel's own sockets, as the agent sees them: ipc files in a private directory of the node."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from typing import Any

import zmq

from ..delivery import sockets
from ..guest import wire

PORTS = {"shell": 1, "iopub": 2, "stdin": 3, "control": 4, "hb": 5}
_KINDS = {"shell": zmq.DEALER, "iopub": zmq.SUB, "stdin": zmq.DEALER, "control": zmq.DEALER}
NUDGE = b"hpcctr-nudge"
NUDGE_S = 0.2


class Channels:
    """Connections to one kernel process; made anew for each restart.

    Parameters
    ----------
    directory : str
        The socket directory on the host.
    seen_as : str
        The same directory as the kernel sees it.
    key : bytes
        The HMAC key, the same as the clients'.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], directory: str, seen_as: str, key: bytes) -> None:
        self._context, self._directory, self._seen_as, self._key = context, directory, seen_as, key
        self.sockets: dict[str, zmq.Socket[bytes]] = {}
        self.heard = False
        self._nudged = 0.0

    def prepare(self) -> None:
        """Remove what an earlier kernel left and write the connection file for the next."""
        self.close()
        for port in PORTS.values():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path(port))
        info: dict[str, Any] = {f"{name}_port": port for name, port in PORTS.items()}
        info |= {
            "transport": "ipc",
            "ip": f"{self._seen_as}/k",
            "key": self._key.decode(),
            "signature_scheme": "hmac-sha256",
            "kernel_name": "",
        }
        path = f"{self._directory}/connection.json"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            json.dump(info, file)

    def connect(self) -> bool:
        """Connect once the kernel has made all its sockets; False until then."""
        if self.sockets:
            return True
        if not all(os.path.exists(self._path(port)) for port in PORTS.values()):
            return False
        identity = secrets.token_bytes(8)
        for name, kind in _KINDS.items():
            socket = self._context.socket(kind)
            socket.linger = 0
            socket.sndhwm = socket.rcvhwm = 0
            socket.reconnect_ivl = 10
            if kind == zmq.DEALER:
                socket.routing_id = b"k" + identity  # one identity: stdin is routed by shell's
            else:
                socket.subscribe(b"")
            socket.connect(f"ipc://{self._path(PORTS[name])}")
            self.sockets[name] = socket
        self._nudged = 0.0
        return True

    def nudge(self) -> None:
        """Ask the kernel for its info, in the agent's own name; its answer says that shell and iopub work.

        Nothing where that was done a moment ago.
        """
        if (now := time.monotonic()) - self._nudged < NUDGE_S:
            return
        self._nudged = now
        frames = wire.pack(self._key, "kernel_info_request", {}, session="hpcctr-agent", idents=[NUDGE])
        self.sockets["shell"].send_multipart(frames)

    def send(self, channel: str, frames: Sequence[bytes]) -> None:
        """Pass a client's frames to the kernel; without a kernel they are dropped."""
        if channel in self.sockets:
            sockets.send(self.sockets[channel], frames)

    def receive(self, name: str, *, most: int = 100) -> Iterator[list[zmq.Frame]]:
        """Yield what has arrived on a channel, up to ``most`` messages so that others get their turn."""
        socket = self.sockets[name]
        for _ in range(most):
            if not sockets.is_there(socket):
                return
            self.heard = self.heard or name == "iopub"
            yield sockets.received(socket)

    def close(self) -> None:
        """Disconnect."""
        for socket in self.sockets.values():
            socket.close()
        self.sockets.clear()
        self.heard = False

    def _path(self, port: int) -> str:
        return f"{self._directory}/k-{port}"


def kernel_info(frames: Sequence[zmq.Frame], key: bytes) -> dict[str, Any] | None:
    """Read the answer to a nudge; None where the message is a client's."""
    if frames[0].bytes != NUDGE:
        return None
    message = wire.unpack(key, [frame.bytes for frame in frames])
    return {} if message is None else dict(message.content)
