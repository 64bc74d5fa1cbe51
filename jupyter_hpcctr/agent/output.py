"""What the kernel says, on its way to the server; and what is said of output for which there is no room any more."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import zmq

from ..guest import wire
from .line import Line

# Output, of which a part may be missing, and of which a cell can make any amount. Replies, states and errors may not:
# a cell would never end; and there are only so many of them for each request.
_MAY_BE_CUT = frozenset(
    {
        "stream",
        "display_data",
        "update_display_data",
        "execute_result",
        "clear_output",
        "comm_open",
        "comm_msg",
        "comm_close",
    }
)
_SEEN = frozenset({"execute_input", "stream", "display_data", "execute_result"})  # in a cell


_OF_STATUS = 4  # from the end: header, parent, metadata, content; a status has no buffers


class _Cut(NamedTuple):
    """What is missing of one cell's output."""

    parent: Mapping[str, Any]
    messages: int
    size: int


class Output:
    """Passes a kernel's messages on; behind the bound of what is kept, output is cut and counted.

    Parameters
    ----------
    line : Line
        The way to the server.
    key : bytes
        The HMAC key of the kernel's messages.
    """

    def __init__(self, line: Line, key: bytes) -> None:
        self._line, self._key = line, key
        self._cuts: dict[str, _Cut] = {}
        self._notice = ""
        self._busy: Sequence[zmq.Frame] = ()

    @property
    def busy(self) -> bool:
        """Whether the kernel has said last that it computes."""
        return bool(self._busy)

    def say_again(self) -> None:
        """Tell a server that has not heard it that the kernel computes, and what."""
        if self._busy:
            self._line.send(b"iopub", self._busy, force=True)

    def forget(self) -> None:
        """The kernel has ended: it computes no more."""
        self._busy = ()

    def notice(self, text: str) -> None:
        """Say something in the cell that runs, or in the next."""
        self._notice = text

    def send(self, channel: bytes, frames: Sequence[zmq.Frame]) -> None:
        """Pass a message on, now or later."""
        if channel == b"iopub" and len(frames) > _OF_STATUS and b'"status"' in frames[-_OF_STATUS].bytes:
            self._busy = frames if b'"busy"' in frames[-1].bytes else ()
        if self._notice and channel == b"iopub":
            self._give_notice(frames)
        if self._cuts or not self._line.send(channel, frames):
            self._squeeze(channel, frames)

    def _squeeze(self, channel: bytes, frames: Sequence[zmq.Frame]) -> None:
        header, parent = _heads(frames)
        if channel == b"iopub" and header.get("msg_type") in _MAY_BE_CUT:
            if not self._told(force=False) or not self._line.send(channel, frames):
                self._count(parent, sum(map(len, frames)))
            return
        if parent.get("msg_id") in self._cuts:
            self._told(force=True)
        self._line.send(channel, frames, force=True)

    def _count(self, parent: Mapping[str, Any], size: int) -> None:
        cell = str(parent.get("msg_id", ""))
        before = self._cuts.get(cell, _Cut(parent, 0, 0))
        self._cuts[cell] = _Cut(parent, before.messages + 1, before.size + size)

    def _told(self, *, force: bool) -> bool:
        """Say where output is missing; False where there is no room for that."""
        for cell, cut in tuple(self._cuts.items()):
            text = (
                f"\n[{cut.size / 1e6:.1f} MB of output (messages: {cut.messages}) are missing here: "
                "the connection to the server was down, and there was no more room to keep them.]\n"
            )
            if not self._line.send(b"iopub", self._stream(text, cut.parent), force=force):
                return False
            del self._cuts[cell]
        return True

    def _give_notice(self, frames: Sequence[zmq.Frame]) -> None:
        header, parent = _heads(frames)
        if header.get("msg_type") in _SEEN and self._line.send(b"iopub", self._stream(self._notice, parent)):
            self._notice = ""

    def _stream(self, text: str, parent: Mapping[str, Any]) -> list[bytes]:
        content = {"name": "stderr", "text": text}
        return wire.pack(self._key, "stream", content, session="hpcctr-agent", parent=parent, idents=[b"stream"])


def _heads(frames: Sequence[zmq.Frame]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return a message's header and its parent's; empty where they cannot be read."""
    parts = [frame.bytes for frame in frames]
    try:
        at = parts.index(wire.DELIMITER)
        return json.loads(parts[at + 2]), json.loads(parts[at + 3])
    except (ValueError, IndexError):
        return {}, {}
