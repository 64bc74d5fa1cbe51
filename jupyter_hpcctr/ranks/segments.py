"""Values on their way between nodes: a segment is copied once to each node, not once to each rank.

On one node a segment is a file in shared memory that all processes map (``guest/mpirun/data``); this room moves
it through the hub's connection, in chunks, a few at a time on the way.
"""

from __future__ import annotations

import collections
import contextlib
import mmap
import os
import secrets
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any

from .failure import RankError

CHUNK = 4 * 1024 * 1024
ON_THE_WAY = 4
STALLED_S = 60.0
_PLACE = "/dev/shm"  # noqa: S108  (the file is made exclusively, 0600)


class Shelf:
    """Where a node's segments are: in shared memory, or in the node's private ``directory`` where that is full.

    Paths are those that kernel and ranks see, who have the directory as ``inside``. ``owner`` is part of the names
    of all segments that are no rank's; it is the run directory's own.
    """

    def __init__(self, directory: str, inside: str) -> None:
        self._directory, self._inside = directory, inside
        self.owner = os.path.basename(os.path.dirname(directory)).removeprefix(f"hpcctr-{os.getuid()}-")

    def announce(self) -> None:
        """Let the kernel know whose its segments are: what it sees of the run directory does not say."""
        with contextlib.suppress(FileExistsError):  # of a hub that was killed: the same
            os.symlink(self.owner, f"{self._directory}/owner")

    def on_host(self, path: str) -> str:
        """Return the host's path of a segment."""
        return path.replace(self._inside, self._directory, 1) if path.startswith(f"{self._inside}/") else path

    def make(self, size: int) -> tuple[str, int]:
        """Make an empty segment of ``size`` bytes; return its path and a descriptor.

        Raises
        ------
        OSError
            There is no room: it is reserved now, since writing to a full tmpfs by a mapping means SIGBUS.
        """
        name = f"{_prefix(self.owner)}{secrets.token_hex(8)}"
        with contextlib.suppress(OSError):
            return f"{_PLACE}/{name}", _reserved(f"{_PLACE}/{name}", size)
        return f"{self._inside}/{name}", _reserved(f"{self._directory}/{name}", size)

    def remove(self, path: str) -> None:
        """Remove a segment; none there is no error."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.on_host(path))

    def clear(self) -> None:
        """Remove all that the kernel and the hub have left."""
        remove_all(self.owner, self._directory)


def remove_all(owner: str, directory: str) -> None:
    """Remove an owner's segments on this node: who is killed while it makes one tells nobody of it.

    ``owner`` is a world's name, or a shelf's; ``directory`` the node's private one.
    """
    for place in (_PLACE, directory):
        with contextlib.suppress(OSError):  # there is none, as after a run
            for name in os.listdir(place):
                if name.startswith(_prefix(owner)) and "-" not in name[len(_prefix(owner)) :]:
                    with contextlib.suppress(OSError):  # removed this moment, or another user's
                        os.unlink(f"{place}/{name}")


def _prefix(owner: str) -> str:
    """Return how the names of segments begin; ``guest/mpirun/segment.new_name`` makes the same."""
    return f"hpcctr-{os.getuid()}-{owner}-"


def _reserved(path: str, size: int) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, max(size, 1))
    except OSError:
        os.close(descriptor)
        os.unlink(path)
        raise
    return descriptor


class Copies:
    """A node's half: keeps what is stored here, and reads out what is fetched from here."""

    def __init__(self, say: Callable[[dict[str, Any], Any], None], shelf: Shelf) -> None:
        self._say, self._shelf = say, shelf
        self._here: dict[str, tuple[str, int]] = {}

    def obey(self, order: Mapping[str, Any], data: bytes) -> None:
        """Store a chunk, fetch one, or drop a segment."""
        path = str(order["path"])
        if order["op"] == "store":
            self._store(path, order, data)
        elif order["op"] == "fetch":
            self._fetch(path, int(order["offset"]))
        elif path in self._here:
            self._drop(path)
        else:
            self._shelf.remove(path)

    def _store(self, path: str, order: Mapping[str, Any], data: bytes) -> None:
        error = ""
        try:
            if path not in self._here:
                self._here[path] = self._shelf.make(int(order["bytes"]))
            os.pwrite(self._here[path][1], data, int(order["offset"]))
        except OSError as failed:
            error = str(failed.strerror)
        self._say({"kind": "stored", "path": path, "error": error}, None)

    def _fetch(self, path: str, offset: int) -> None:
        data, error = b"", ""
        try:
            descriptor = os.open(self._shelf.on_host(path), os.O_RDONLY | os.O_NOFOLLOW)
            try:
                data = os.pread(descriptor, CHUNK, offset)
                error = "" if data else "it is shorter than it was said to be"
            finally:
                os.close(descriptor)
        except OSError as failed:
            error = str(failed.strerror)
        self._say({"kind": "chunk", "path": path, "offset": offset, "error": error}, data)

    def here(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return a message with the path that its segment has on this node."""
        segment = message.get("segment")
        if segment and segment["path"] in self._here:
            return {**message, "segment": {**segment, "path": self._here[segment["path"]][0]}}
        return message

    def _drop(self, path: str) -> None:
        own, descriptor = self._here.pop(path)
        os.close(descriptor)
        self._shelf.remove(own)

    def close(self) -> None:
        """Drop everything."""
        for path in tuple(self._here):
            self._drop(path)


class Traffic:
    """The hub's half: generators that a flow runs to move one segment."""

    def __init__(self, alive: Callable[[str], bool], shelf: Shelf) -> None:
        self._alive, self._shelf = alive, shelf
        self._answers: collections.deque[tuple[str, dict[str, Any], bytes]] = collections.deque()

    def receive(self, node: str, said: dict[str, Any], data: bytes) -> None:
        """Take a node's answer."""
        self._answers.append((node, said, data))

    def spread(self, segment: Mapping[str, Any], nodes: Iterable[Any]) -> Generator[None, None, None]:
        """Copy a segment of this node to other nodes.

        Raises
        ------
        RankError
            A node has no room for it.
        """
        path, size = str(segment["path"]), int(segment["bytes"])
        own = self._shelf.on_host(path)
        with open(own, "rb") as file, mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as memory:
            for node in nodes:
                on_the_way = 0
                for offset in range(0, size, CHUNK):
                    order = {"op": "store", "path": path, "bytes": size, "offset": offset}
                    node.send(order, bytes(memory[offset : offset + CHUNK]))
                    on_the_way += 1
                    while on_the_way >= ON_THE_WAY:
                        on_the_way -= len((yield from self._answered(node.name, path)))
                while on_the_way:
                    on_the_way -= len((yield from self._answered(node.name, path)))

    def gather(self, segment: Mapping[str, Any], node: Any) -> Generator[None, None, dict[str, Any]]:
        """Copy a segment of another node to this one; return the copy's path and bytes.

        Raises
        ------
        RankError
            There is no room for it, or the node does not have it any more.
        """
        size, there = int(segment["bytes"]), str(segment["path"])
        try:
            path, descriptor = self._shelf.make(size)
        except OSError as error:
            node.send({"op": "drop", "path": there}, None)
            raise RankError("NoRoom", f"{size} bytes do not fit here: {error.strerror}") from error
        try:
            asked, came = 0, 0
            while came < size:
                while asked < size and asked - came < ON_THE_WAY * CHUNK:
                    node.send({"op": "fetch", "path": there, "offset": asked}, None)
                    asked += CHUNK
                for said, data in (yield from self._answered(node.name, there)):
                    os.pwrite(descriptor, data, int(said["offset"]))
                    came += len(data)
        except BaseException:
            self._shelf.remove(path)
            raise
        finally:
            os.close(descriptor)
            node.send({"op": "drop", "path": there}, None)
        return {"path": path, "bytes": size}

    def _answered(self, name: str, path: str) -> Generator[None, None, list[tuple[dict[str, Any], bytes]]]:
        until = time.monotonic() + STALLED_S
        while not self._answers:
            if not self._alive(name) or time.monotonic() > until:
                raise RankError("NodeLost", f"node {name} does not answer any more")
            yield
        # Others may be late answers to what was given up.
        found = [(said, data) for node, said, data in self._answers if (node, said["path"]) == (name, path)]
        self._answers.clear()
        for said, _ in found:
            if said["error"]:
                raise RankError("NoRoom", f"node {name}: {said['error']}", hint="move less at a time")
        return found
