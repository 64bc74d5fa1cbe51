"""A file in memory that holds the bytes of a message, written once and mapped by all who read it."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Union

    import numpy as np

    Buffer = Union[memoryview, np.ndarray[Any, Any]]
    """Bytes as they are in memory, or an array whose elements do not lie together: NumPy copies those."""

ALIGNMENT = 64  # bytes, a cache line: what vector instructions like best
MEMORY = "/dev/shm"  # noqa: S108  (created with O_EXCL, a random name and mode 0600)
_PARTS_MOST = 512  # of one pwritev(2); IOV_MAX is 1024
_PADDING = memoryview(bytes(ALIGNMENT))


class DataError(Exception):
    """A value that cannot be sent or read; its text is a sentence for people."""


class Segment:
    """All buffers of a message in one file. ``view`` is its memory, mapped when it is first asked for."""

    def __init__(self, path: str, length: int) -> None:
        self.path, self.length = path, length
        self._view: memoryview | None = None

    @classmethod
    def create(
        cls,
        packed: Iterable[tuple[dict[str, Any], list[Buffer]]],
        directory: str,
        *,
        memory: str = MEMORY,
        name: str | None = None,
    ) -> Segment | None:
        """Write the buffers of what ``pack`` returned, and their places into the headers.

        The file is in ``memory``; in ``directory`` where that has no room, or there is none. ``name`` is one of
        ``new_name``, for ``remove``.

        Returns
        -------
        Segment or None
            None where there is nothing to write.

        Raises
        ------
        DataError
            There is no room, or a file cannot be made.
        """
        parts: list[tuple[int, Buffer]] = []
        end = 0
        for header, buffers in packed:
            places = []
            for buffer in buffers:
                start = -(-end // ALIGNMENT) * ALIGNMENT
                end = start + buffer.nbytes
                places.append([start, buffer.nbytes])
                parts.append((start, buffer))
            header["buffers"] = places
        if not end:
            return None
        path = _write_somewhere((memory, directory), name or new_name(), parts, end)
        return cls(path, end)

    @classmethod
    def open(cls, described: dict[str, Any] | None) -> Segment | None:
        """Return the segment that the other side described, mapped; None for None.

        Raises
        ------
        DataError
            The file is not there, or is not one that the other side can have made.
        """
        if described is None:
            return None
        segment = cls(str(described["path"]), int(described["bytes"]))
        segment._map()
        return segment

    def described(self) -> dict[str, Any]:
        """Return what the other side needs to open it."""
        return {"path": self.path, "bytes": self.length}

    @property
    def view(self) -> memoryview:
        """Return the memory, private to this process: what is written to it is in no file."""
        return self._map() if self._view is None else self._view

    def _map(self) -> memoryview:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                state = os.fstat(descriptor)
                own = stat.S_ISREG(state.st_mode) and state.st_uid == os.geteuid()
                if not own or state.st_size < self.length:  # a shorter one would be SIGBUS
                    raise DataError(f"{self.path} is not the file that the other side has written")
                flags, access = mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE
                self._view = memoryview(mmap.mmap(descriptor, self.length, flags=flags, prot=access))
            finally:
                os.close(descriptor)
        except OSError as error:
            raise DataError(f"{self.path} cannot be mapped: {error.strerror}") from error
        return self._view

    def unlink(self) -> None:
        """Take the file's name away; memory that is mapped stays until nothing refers to it."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


def new_name(owner: str = "") -> str:
    """Return a name for a segment, which is nobody else's.

    By its ``owner``, a world's name or one of ``owner_of``, the hub and the relays find what is left of those
    who were killed (``ranks/segments.py``).
    """
    return "-".join(filter(None, ("hpcctr", str(os.getuid()), owner, os.urandom(8).hex())))


def owner_of(directory: str) -> str:
    """Return whose a notebook's segments are, as the hub has written it down; "" where it has not."""
    try:
        return os.readlink(f"{directory}/owner")
    except OSError:
        return ""


def remove(name: str, directory: str, memory: str = MEMORY) -> None:
    """Remove a segment that ``create`` may have made, or have been making when it was interrupted."""
    for place in (memory, directory):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(f"{place}/{name}")


def _write_somewhere(places: Iterable[str], name: str, parts: list[tuple[int, Buffer]], length: int) -> str:
    reasons = []
    for place in places:
        path = f"{place}/{name}"
        try:
            _write(path, parts, length)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            reasons.append(f"{place}: {'no room' if full else error.strerror}")
        else:
            return path
    raise DataError(f"{length / 1e9:.3g} GB cannot be put where the other side could read them ({'; '.join(reasons)})")


def _write(path: str, parts: list[tuple[int, Buffer]], length: int) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, length)  # no room is an error here, and SIGBUS for who maps it
        # write(2) is faster than to write into a map, which takes a page fault every 4 kB.
        _write_bytes(descriptor, [(at, buffer) for at, buffer in parts if isinstance(buffer, memoryview)])
        scattered = [(at, buffer) for at, buffer in parts if not isinstance(buffer, memoryview)]
        if scattered:
            with mmap.mmap(descriptor, length) as memory:
                for at, array in scattered:
                    _copy(memory, at, array)
    except BaseException:
        os.unlink(path)
        raise
    finally:
        os.close(descriptor)


def _write_bytes(descriptor: int, parts: list[tuple[int, memoryview]]) -> None:
    run: list[memoryview] = []  # what lies together with its padding is written together
    start = end = 0
    for at, buffer in parts:
        if at - end >= ALIGNMENT or len(run) >= _PARTS_MOST:
            _write_run(descriptor, run, start)
            run, start, end = [], at, at
        if at > end:
            run.append(_PADDING[: at - end])
        run.append(buffer.cast("B"))
        end = at + buffer.nbytes
    _write_run(descriptor, run, start)


def _write_run(descriptor: int, run: list[memoryview], at: int) -> None:
    while run:
        written = os.pwritev(descriptor, run, at)  # 2 GB at most, says write(2)
        at += written
        while run and written >= len(run[0]):
            written -= len(run[0])
            del run[0]
        if written:
            run[0] = run[0][written:]


def _copy(memory: mmap.mmap, at: int, array: Any) -> None:
    import numpy as np

    there = np.ndarray(array.shape, dtype=array.dtype, buffer=memory, offset=at)
    np.copyto(there, array)
    del there  # or the map could not be closed
