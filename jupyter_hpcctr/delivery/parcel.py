"""A message as few frames for a connection, for each frame costs an encryption and turns of Python at both ends.

Small frames are joined, behind a table of all frames. Each large one follows in pieces: one end encrypts a piece while
the other decrypts the one before, and both find it in their caches.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .kept import Frames
from .session import HEAD_BYTES

if TYPE_CHECKING:
    import zmq

JOINED_BYTES = 32_000
PIECE_BYTES = 500_000
_NUMBER = struct.Struct(">I")
_ROW = "QI"  # a frame's length, and the number of its pieces: 0 where it is joined
_ROW_BYTES = struct.calcsize(f">{_ROW}")


def wrapped(frames: Sequence[bytes | zmq.Frame]) -> list[bytes | memoryview]:
    """Return a message as a parcel: its table with what is joined, and the pieces."""
    rows: list[int] = []
    joined = [b""]
    pieces: list[bytes | memoryview] = []
    for frame in frames:
        length = len(frame)
        if length <= JOINED_BYTES:
            rows += (length, 0)
            joined.append(frame if isinstance(frame, bytes) else frame.bytes)
        else:
            view = memoryview(frame) if isinstance(frame, bytes) else frame.buffer
            rows += (length, -(-length // PIECE_BYTES))
            pieces += [view[at : at + PIECE_BYTES] for at in range(0, length, PIECE_BYTES)]
    joined[0] = struct.pack(f">I{_ROW * len(frames)}", len(frames), *rows)
    return [b"".join(joined), *pieces]


def sealed(frames: Frames) -> list[bytes | memoryview]:
    """Return what goes over the connection for a head and, perhaps, a parcel: as few frames as that."""
    return [b"".join(frames[:2]), *frames[2:]]


def opened(frames: Sequence[zmq.Frame]) -> tuple[bytes, list[bytes | memoryview]]:
    """Return the head and the parcel of what has come."""
    first = frames[0].bytes
    return first[:HEAD_BYTES], [first[HEAD_BYTES:], *(frame.buffer for frame in frames[1:])]


def unwrapped(parcel: Frames) -> list[bytes]:
    """Return a message's frames.

    Raises
    ------
    ValueError
        It is none.
    """
    try:
        first = bytes(parcel[0])
        (number,) = _NUMBER.unpack_from(first)
        at = _NUMBER.size + _ROW_BYTES * number
        rows = struct.unpack(f">{_ROW * min(number, len(first))}", first[_NUMBER.size : at])
    except (struct.error, IndexError) as error:
        raise ValueError(f"no table of a message: {error}") from None
    pieces, frames = iter(parcel[1:]), []
    for length, cut in zip(rows[::2], rows[1::2]):  # noqa: B905  (Python 3.9)
        if cut:
            frame = b"".join(itertools.islice(pieces, cut))
        else:
            frame = first[at : at + length]
            at += length
        frames.append(frame)
    if at != len(first) or next(pieces, None) is not None or [len(frame) for frame in frames] != list(rows[::2]):
        raise ValueError("a message is not whole")
    return frames
