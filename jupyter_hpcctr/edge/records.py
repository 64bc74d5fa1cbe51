"""Records in a file that grows at its end, each with a checksum, so that a torn one costs itself alone; pure."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

ASKED, SAID, CARRIED = b"Q", b"M", b"C"
"""An execute request (header, metadata); a kernel's message (header, parent, content: an empty parent is that of the
record before); what was known of an execution (JSON) where messages are missing: they were removed, or could not be
written."""

_MAGIC = b"\xa7hJ\n"
_HEAD = struct.Struct(">4sIcdIII")  # magic, checksum of all that follows, kind, time, the lengths of three parts
_SUMMED = 8


class Record(NamedTuple):
    """One record. ``now`` is when it was written, in seconds since 1970; ``size`` its bytes in the file."""

    kind: bytes
    now: float
    parts: tuple[bytes, bytes, bytes]
    size: int


def head(kind: bytes, now: float, *parts: bytes | memoryview) -> bytes:
    """Return what stands before a record's three parts in the file."""
    text = _HEAD.pack(_MAGIC, 0, kind, now, *map(len, parts))[_SUMMED:]
    checksum = zlib.crc32(text)
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    return _MAGIC + checksum.to_bytes(4, "big") + text


def packed(kind: bytes, now: float, first: bytes, second: bytes = b"", third: bytes = b"") -> bytes:
    """Return a whole record."""
    return b"".join((head(kind, now, first, second, third), first, second, third))


def records(data: bytes) -> Iterator[Record | None]:
    """Read a file's records in order; None stands for a place where something is that is none."""
    at, view = 0, memoryview(data)
    while (found := data.find(_MAGIC, at)) >= 0:
        if found > at:
            yield None
        record = _record(view, found)
        if record is None:
            yield None
            at = found + 1
            continue
        yield record
        at = found + record.size
    if at < len(data):
        yield None


def _record(view: memoryview, at: int) -> Record | None:
    if at + _HEAD.size > len(view):
        return None
    _, checksum, kind, now, first, second, third = _HEAD.unpack_from(view, at)
    begin = at + _HEAD.size
    end = begin + first + second + third
    if end > len(view) or zlib.crc32(view[at + _SUMMED : end]) != checksum:
        return None
    middle, last = begin + first, begin + first + second
    parts = bytes(view[begin:middle]), bytes(view[middle:last]), bytes(view[last:end])
    return Record(kind, now, parts, end - at)
