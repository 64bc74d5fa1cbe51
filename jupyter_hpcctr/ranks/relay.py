"""All that a node needs between the hub and its ranks: their sockets, FIFOs and processes."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import zmq

from . import specs, strays
from .bundle import Bundle
from .process import RankProcess, kill
from .segments import remove_all
from .spill import Spill

STACK_PATIENCE_S = 1.0
REST_MS = 10
OWED_S, OWED_MS = 0.2, 20
"""For how long, in a turn, ended ranks' last messages are waited for; and each look at the socket."""


class Relay:
    """The ranks of one node. What those of a world tell is in ``bundles``; who owns the relay polls and takes it.

    ``directory`` is private to this user; a rank's identity on the socket is ``WORLD.RANK``. ``enter`` puts
    programs into the node's container.
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], poller: zmq.Poller, directory: str, *, enter: specs.Enter
    ) -> None:
        self._enter = enter
        self.bundles: collections.defaultdict[str, Bundle] = collections.defaultdict(Bundle)
        self.ranks: dict[tuple[str, int], RankProcess] = {}
        self._directory, self._poller = directory, poller
        with contextlib.suppress(FileNotFoundError):  # of a hub that was killed
            os.unlink(f"{directory}/door")
        os.mkfifo(f"{directory}/door", 0o600)
        self._door = os.open(f"{directory}/door", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._announced = b""
        self._expected: set[str] = set()
        self._owed_until = 0.0
        self._socket = context.socket(zmq.ROUTER)
        self._socket.linger = 0
        self._socket.rcvhwm = self._socket.sndhwm = 0
        self._socket.bind(f"ipc://{directory}/world")
        self._by_fd: dict[int, RankProcess] = {}
        self._resting: dict[int, float] = {}
        self._limits: dict[str, tuple[str, int]] = {}
        self._shared_memory: dict[str, str] = {}
        self._asked: dict[tuple[str, int, int], float] = {}
        self._fds = select.epoll()
        for each in (self._door, self._socket, self._fds.fileno()):
            poller.register(each, zmq.POLLIN)

    # -- from the ranks

    def turn(self, events: Mapping[Any, int]) -> None:
        """Take in what has come."""
        self._owed_until = time.monotonic() + OWED_S
        if self._door in events:
            self._read_door()
        if self._socket in events:
            self._read_socket()
        if self._fds.fileno() in events:
            until = time.monotonic() + REST_MS / 1000
            for fd, _ in self._fds.poll(0):
                rank = self._by_fd.get(fd)
                if rank is not None and fd == rank.wrapper_fd:
                    self._read_door()  # it has said how it ended, perhaps since we were woken
                    self._end(rank)
                elif rank is not None:
                    self._resting[fd] = until
        if self._resting:
            self._wake_rested()
        self._hurry_stacks()

    def patience_ms(self, most: int) -> int:
        """Return how long its owner may poll: ``most``, or less while a FIFO rests."""
        return min(most, REST_MS) if self._resting else most

    def _wake_rested(self) -> None:
        """Read FIFOs that have filled for a moment: a program that prints line by line would wake us for each."""
        now = time.monotonic()
        for fd in [fd for fd, until in self._resting.items() if until <= now]:
            del self._resting[fd]
            rank = self._by_fd[fd]  # _unregister forgets both
            fifo = rank.out if fd == rank.out.fd else rank.err
            if fifo.read():
                rank.pump(self.bundles[rank.world])
            if fifo.ended:
                self._unregister(fd)
            else:
                self._fds.modify(fd, select.EPOLLIN | select.EPOLLONESHOT)

    def _read_door(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._door, 65536):
                self._announced += data
        *lines, self._announced = self._announced.split(b"\n")
        # Ends last: with one, all is read that ranks have said, and each that speaks must be known by then.
        for line in sorted(lines, key=lambda line: b'"event": "exit"' in line):
            with contextlib.suppress(ValueError, KeyError):  # no wrapper's
                self._on_announced(json.loads(line))

    def _on_announced(self, said: Mapping[str, Any]) -> None:
        key = str(said["world"]), int(said["rank"])
        if said["event"] == "open" and key[0] not in self._expected:
            self._turn_away(*key, wrapper=int(said["pid"]))
        elif said["event"] == "open":
            with contextlib.suppress(OSError):  # it has given up already
                self._open(*key, token=str(said["token"]), wrapper=int(said["pid"]))
        elif (rank := self.ranks.get(key)) is None:
            return
        elif said["event"] == "enter":
            rank.entered(int(said["pid"]))
            self.bundles[rank.world].add("entered", [rank.rank], rank.pid)
        elif said["event"] == "exit":
            rank.status = int(said["status"])
            self._end(rank)

    def _open(self, world: str, number: int, *, token: str, wrapper: int) -> None:
        rank = RankProcess(world, number, directory=self._directory, token=token, wrapper=wrapper)
        self.ranks[world, number] = rank
        if world in self._limits:
            spill, limit = self._limits[world]
            rank.spill = Spill(spill, f"{world}-rank-{number}.txt", limit)
        for fd in (rank.out.fd, rank.err.fd, rank.wrapper_fd):
            self._by_fd[fd] = rank
            self._fds.register(fd, select.EPOLLIN | (0 if fd == rank.wrapper_fd else select.EPOLLONESHOT))

    def _turn_away(self, world: str, number: int, *, wrapper: int) -> None:
        """End a wrapper that comes when its world is forgotten: nobody would see what it runs, or end it."""
        with contextlib.suppress(OSError):  # it has given up already
            descriptor = os.pidfd_open(wrapper)
            try:
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            finally:
                os.close(descriptor)
        for name in ("out", "err"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{self._directory}/{world}.{number}.{name}")

    def _end(self, rank: RankProcess) -> None:
        if not rank.gone:
            self._read_socket()  # what it said before its end
            if rank.status is None:
                rank.begin_kill()  # a wrapper that was killed leaves its process behind
                rank.kill_noted()
                strays.end(rank.world, rank.rank)
            else:
                self._await_owed(rank)
            rank.end(self.bundles[rank.world])
        for fd in (rank.out.fd, rank.err.fd, rank.wrapper_fd):
            self._unregister(fd)

    def _await_owed(self, rank: RankProcess) -> None:
        """Wait for what the rank said last: ZeroMQ's own thread may not have read it from the kernel's socket yet.

        The time is that of all ranks together, since one that was killed may have written marks and no message.
        """
        while rank.owes_message(self.bundles[rank.world]) and time.monotonic() < self._owed_until:
            self._socket.poll(OWED_MS)
            self._read_socket()

    def _unregister(self, fd: int) -> None:
        if self._by_fd.pop(fd, None) is not None:
            self._resting.pop(fd, None)
            self._fds.unregister(fd)

    def _read_socket(self) -> None:
        while True:
            try:
                identity, text, *_ = self._socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            world, _, number = identity.decode(errors="replace").rpartition(".")
            rank = self.ranks.get((world, int(number))) if number.isdecimal() else None
            if rank is not None and not rank.gone:
                self._on_said(rank, json.loads(text))

    def _on_said(self, rank: RankProcess, said: dict[str, Any]) -> None:
        kind = str(said.pop("kind"))
        said.pop("rank", None)
        if kind == "done":
            rank.say(said["seq"], kind, said["cell"], said["status"], said["error"])
        elif kind == "display":
            rank.say(said["seq"], kind, said["cell"], said["message"], said["content"])
        else:
            if kind == "stack":
                self._asked.pop((rank.world, rank.rank, said["ask"]), None)
            self.bundles[rank.world].add(kind, [rank.rank], said)
        for fifo in (rank.out, rank.err):  # what was written before the message is there by now
            fifo.read()
        rank.pump(self.bundles[rank.world])
        if kind == "done":
            rank.note_offspring()

    def _hurry_stacks(self) -> None:
        """Ask by a signal those whose threads cannot answer: C code that holds the interpreter's lock."""
        now = time.monotonic()
        for key, since in tuple(self._asked.items()):
            if now - since > STACK_PATIENCE_S:
                del self._asked[key]
                rank = self.ranks.get(key[:2])
                if rank is not None and not rank.gone and rank.catches(signal.SIGUSR1):
                    rank.signal(signal.SIGUSR1)

    # -- to the ranks

    def tell(self, world: str, message: Mapping[str, Any], *, ranks: Collection[int] | None = None) -> None:
        """Send a message to the ranks of a world on this node, or to some of them."""
        text = json.dumps(message).encode()
        for rank in self._of(world, ranks):
            if message["op"] == "execute":
                name = f"cell-{message['cell']}-rank-{rank.rank}-{world}.txt"  # other notebooks have cells, too
                rank.spill = Spill(str(message["spill"]), name, int(message["limit"]))
            elif message["op"] == "stack":
                self._asked[world, rank.rank, int(message["ask"])] = time.monotonic()
            self._socket.send_multipart((f"{world}.{rank.rank}".encode(), text))

    def expect(self, spec: Mapping[str, Any]) -> None:
        """Write down what the ranks of a world are to run; their wrappers may be on their way.

        With ``spill`` and ``limit`` in it, what each rank prints in all is bounded (a program has no cells).
        """
        self._expected.add(str(spec["world"]))
        if "limit" in spec:
            self._limits[str(spec["world"])] = str(spec["spill"]), int(spec["limit"])
        self._shared_memory[str(spec["world"])] = specs.write(spec, self._directory, enter=self._enter)

    def kill(self, world: str) -> None:
        """End the processes of a world."""
        self._read_door()  # one that has just begun is not known otherwise
        kill(tuple(self._of(world, None)))

    def forget(self, world: str) -> None:
        """Close what is left of a world that has ended."""
        self._expected.discard(world)
        for key in [key for key in self.ranks if key[0] == world]:
            rank = self.ranks.pop(key)
            self._end(rank)
            rank.close()
        strays.end(world)
        self._limits.pop(world, None)
        self.bundles.pop(world, None)
        shutil.rmtree(self._shared_memory.pop(world, ""), ignore_errors=True)
        shutil.rmtree(f"{self._directory}/{world}.tmp", ignore_errors=True)
        remove_all(world, self._directory)
        for name in os.listdir(self._directory):
            if name.startswith(f"{world}."):
                with contextlib.suppress(OSError):  # gone, or a directory that could not be emptied
                    os.unlink(f"{self._directory}/{name}")

    def _of(self, world: str, ranks: Collection[int] | None) -> Iterator[RankProcess]:
        for (name, number), rank in self.ranks.items():
            if name == world and not rank.gone and (ranks is None or number in ranks):
                yield rank

    def close(self) -> None:
        """End all ranks, and the relay."""
        for world in {name for name, _ in self.ranks} | self._shared_memory.keys():
            self.kill(world)
            self.forget(world)
        for each in (self._door, self._socket, self._fds.fileno()):
            self._poller.unregister(each)
        self._fds.close()
        os.close(self._door)
        self._socket.close()
