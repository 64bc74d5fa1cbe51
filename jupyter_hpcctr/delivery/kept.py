"""Messages that wait to be sent: in memory up to a bound, then in files up to another."""

from __future__ import annotations

import collections
import errno
import itertools
import os
import struct
from collections.abc import Sequence
from typing import Union

Frames = Sequence[Union[bytes, memoryview]]

OVERHEAD = 1024  # bytes that Python and ZeroMQ need for a message besides its own
FILE_BYTES = 64_000_000
_NUMBER = struct.Struct(">Q")
_AT_ONCE = 1000  # buffers that are written by one call; Linux takes 1024 (writev(2), IOV_MAX)


def size_of(frames: Frames) -> int:
    """Return what it costs to keep a message, in bytes."""
    return OVERHEAD + sum(map(len, frames))


class _File:
    """A file without a name, so that it goes with its process: messages are written at its end and read once.

    Each message is the number of its frames, their lengths, and their bytes.
    """

    def __init__(self, directory: str) -> None:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        path = f"{directory}/kept-{os.urandom(8).hex()}"
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        os.unlink(path)
        self.end = self._at = 0
        self.messages = 0

    def write(self, frames: Frames) -> None:
        """Append a message, whole or not at all."""
        head = b"".join(map(_NUMBER.pack, (len(frames), *map(len, frames))))
        left = collections.deque(memoryview(part) for part in (head, *frames))
        at = self.end
        while left:
            written = os.pwritev(self._fd, tuple(itertools.islice(left, _AT_ONCE)), at)
            at += written
            while left and written >= len(left[0]):
                written -= len(left.popleft())
            if written:
                left[0] = left[0][written:]
        self.end = at
        self.messages += 1

    def read(self) -> Frames:
        """Return the next message; raises OSError where it cannot be read."""
        (number,) = _NUMBER.unpack(self._bytes(_NUMBER.size))
        lengths = struct.unpack(f">{number}Q", self._bytes(_NUMBER.size * number))
        whole, frames, at = memoryview(self._bytes(sum(lengths))), [], 0
        for length in lengths:
            frames.append(whole[at : at + length])
            at += length
        self.messages -= 1
        return frames

    def _bytes(self, length: int) -> bytearray:
        if length > self.end - self._at:
            raise OSError(errno.EIO, "messages that were kept are damaged")
        found = bytearray(length)
        left = memoryview(found)
        while left:
            read = os.preadv(self._fd, (left,), self._at)
            if not read:
                raise OSError(errno.EIO, "messages that were kept are missing")
            left = left[read:]
            self._at += read
        return found

    def close(self) -> None:
        """Give back its room."""
        os.close(self._fd)


class Kept:
    """First in, first out: memory, then files, then what was forced in although these were full.

    Parameters
    ----------
    directory : str
        Where files are made (0600, without a name) when they are needed; it is made too (0700).
    memory : int
        Bytes that are kept in memory.
    files : int
        Bytes that are kept in files. ``put`` refuses what is beyond.
    """

    def __init__(self, directory: str, *, memory: int = 8_000_000, files: int = 1_000_000_000) -> None:
        self._directory, self._most_in_memory, self._most_in_files = directory, memory, files
        self._memory: collections.deque[Frames] = collections.deque()
        self._in_memory = 0
        self._forced: collections.deque[Frames] = collections.deque()
        self._files: collections.deque[_File] = collections.deque()
        self._in_files = 0
        self.lost = 0
        self.drained = False

    def __bool__(self) -> bool:
        return bool(self._memory or self._files or self._forced)

    @property
    def bytes(self) -> int:
        """What is kept now in memory and files, in bytes."""
        return self._in_memory + self._in_files

    def put(self, frames: Frames, *, force: bool = False) -> bool:
        """Keep a message, and return True; False where there is no room, in the bounds or on the disk.

        ``force`` keeps it in memory where there is no room: for what is small and must not be missing.
        """
        size = size_of(frames)
        if not self._forced:
            if not self._files and self._in_memory + size <= self._most_in_memory:
                self._memory.append(frames)
                self._in_memory += size
                return True
            if self._in_files + size <= self._most_in_files and self._write(frames, size):
                return True
        if force:
            self._forced.append(frames)
        return force

    def pop(self) -> Frames | None:
        """Take the oldest message; None where there is none.

        Where a file cannot be read any more, what was in it is counted in ``lost``, and passed over.
        """
        if self._memory:
            frames = self._memory.popleft()
            self._in_memory -= size_of(frames)
            return frames
        while self._files:
            try:
                return self._read(self._files[0])
            except OSError:
                self.lost += self._files[0].messages
                self._drop()
        return self._forced.popleft() if self._forced else None

    def close(self) -> None:
        """Forget everything, and give back its room."""
        self._memory.clear()
        self._forced.clear()
        self._in_memory = 0
        while self._files:
            self._drop()

    def _write(self, frames: Frames, size: int) -> bool:
        try:
            if not self._files or self._files[-1].end >= FILE_BYTES:
                self._files.append(_File(self._directory))
            self._files[-1].write(frames)
        except OSError:
            if self._files and not self._files[-1].messages:
                self._files.pop().close()
            return False
        self._in_files += size
        return True

    def _read(self, file: _File) -> Frames:
        frames = file.read()
        self._in_files -= size_of(frames)
        if not file.messages:
            self._drop()
        return frames

    def _drop(self) -> None:
        self._files.popleft().close()
        if not self._files:
            self._in_files, self.drained = 0, True
