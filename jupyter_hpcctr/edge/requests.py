"""The execute requests that have no reply yet, in a file for the process that goes on with the kernel."""

from __future__ import annotations

import contextlib
import logging
import os
import struct
import time
from collections.abc import Sequence
from pathlib import Path

from ..errors import HpcctrError
from ..guest.wire import DELIMITER, header_of
from . import files
from .records import packed, records

log = logging.getLogger(__name__)

NAME = "requests"
SHORTEN_BYTES = 65_536
"""A file of this size is emptied as soon as no request in it is open."""
_ASKED, _ANSWERED = b"R", b"A"
_NUMBER = struct.Struct(">I")


class Requests:
    """Notes what clients ask and what is answered. In the edge loop; what cannot be written is said once in the log."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME
        self._open: dict[str, list[bytes]] = {}
        self._fd: int | None = None
        self._size = 0
        self._told = self._closed = False
        self._recall()

    def open(self) -> list[list[bytes]]:
        """Return the frames of each request that has no reply, in the order in which they came."""
        return list(self._open.values())

    def asked(self, frames: Sequence[bytes]) -> None:
        """A client has sent something on shell."""
        msg_id = _named(frames, b'"execute_request"', 2)
        if msg_id:
            self._open[msg_id] = list(frames)
            self._write(packed(_ASKED, time.time(), msg_id.encode(), _joined(frames)))

    def said(self, frames: Sequence[bytes]) -> None:
        """A client is told something on shell."""
        if not self._open:
            return
        msg_id = _named(frames, b'"execute_reply"', 3)
        if self._open.pop(msg_id, None) is not None:
            self._write(packed(_ANSWERED, time.time(), msg_id.encode()))

    def close(self) -> None:
        """Write no more; the file stays."""
        self._closed = True
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _write(self, record: bytes) -> None:
        if self._closed:
            return
        try:
            if self._fd is None:
                files.private_dir(self._path.parent)
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
                self._fd = os.open(self._path, flags, 0o600)
                self._size = os.fstat(self._fd).st_size
            if self._size > SHORTEN_BYTES and not self._open:
                os.ftruncate(self._fd, 0)
                self._size = 0
            else:
                self._size += os.write(self._fd, record)
        except (OSError, HpcctrError) as error:
            if not self._told:
                log.warning("what a kernel is asked cannot be kept in %s: %s", self._path, error)
            self._told = True

    def _recall(self) -> None:
        with contextlib.suppress(OSError):
            for record in records(self._path.read_bytes()):
                if record is None:
                    continue
                msg_id = record.parts[0].decode()
                if record.kind == _ASKED:
                    self._open[msg_id] = _split(record.parts[1])
                else:
                    self._open.pop(msg_id, None)


def _named(parts: Sequence[bytes], kind: bytes, behind: int) -> str:
    """Return the id in a header ``behind`` the delimiter where the message's header has this kind, else ""."""
    try:
        at = parts.index(DELIMITER)
        return str(header_of(parts[at + behind])["msg_id"]) if kind in parts[at + 2] else ""
    except (ValueError, IndexError, KeyError, TypeError):
        return ""


def _joined(parts: Sequence[bytes]) -> bytes:
    return b"".join((*map(_NUMBER.pack, (len(parts), *map(len, parts))), *parts))


def _split(data: bytes) -> list[bytes]:
    (number,) = _NUMBER.unpack_from(data)
    lengths = struct.unpack_from(f">{number}I", data, _NUMBER.size)
    parts, at = [], _NUMBER.size * (number + 1)
    for length in lengths:
        parts.append(data[at : at + length])
        at += length
    return parts
