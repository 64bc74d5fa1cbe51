"""One world: the processes that were started together, and what is known of each."""

from __future__ import annotations

import collections
import os
import signal
from collections.abc import Iterator, Sequence
from typing import Any

from ..agent.children import Child
from .bundle import Item
from .launcher import Start
from .slots import Placement

LOG_LINES = 12


class World:
    """Ranks that one launcher started. ``state`` is ``starting``, ``running`` or ``broken``.

    ``name`` has neither '/' nor '.'. ``up`` holds what each rank said of its MPI when it was ready, ``pids`` and
    ``places`` its process and node, ``ended`` the exit status of those that are gone (None where nobody saw it).
    """

    def __init__(self, name: str, placement: Placement, start: Start, *, log: str) -> None:
        self.name, self.placement, self.start = name, placement, start
        self.state = "starting"
        self.wanted: dict[str, Any] = {}
        self.up: dict[int, dict[str, Any]] = {}
        self.pids: dict[int, int] = {}
        self.places: dict[int, str] = {}
        self.ended: dict[int, int | None] = {}
        self.busy: set[int] = set()
        self.lost_nodes: set[str] = set()
        self.early: collections.deque[str] = collections.deque(maxlen=200)
        self._inbox: collections.deque[Item] = collections.deque()
        self._log = log
        self._child: Child | None = None

    @property
    def ranks(self) -> int:
        """How many there are to be."""
        return self.placement.ranks

    @property
    def launcher_code(self) -> int | None:
        """The launcher's exit status, None while it runs."""
        return None if self._child is None else self._child.code

    def launch(self, directory: str) -> None:
        """Run the launcher; raises ``OSError`` where there is none."""
        self._child = Child(self.start.argv, env=self.start.env, cwd=directory, log=self._log)

    def receive(self, node: str, items: Sequence[Item]) -> None:
        """Take in what a node tells of its ranks, and keep it for whoever works with this world."""
        for item in items:
            kind, ranks, *rest = item
            if kind == "up":
                self.up[ranks[0]] = rest[0]
            elif kind == "entered":
                self.pids[ranks[0]], self.places[ranks[0]] = rest[0], node
            elif kind == "gone":
                self.ended[ranks[0]] = rest[0]
                self.busy.discard(ranks[0])
            elif kind == "done":
                self.busy.difference_update(ranks)
            elif kind == "out" and self.state == "starting":
                self.early.append(str(rest[1]))
            self._inbox.append(item)

    def lost(self, node: str) -> None:
        """Count the ranks of a node that nobody hears any more as gone."""
        self.lost_nodes.add(node)
        for rank, place in self.places.items():
            if place == node and rank not in self.ended:
                self.receive(node, [["gone", [rank], None]])

    def drain(self) -> Iterator[Item]:
        """Yield what came since the last time."""
        while self._inbox:
            yield self._inbox.popleft()

    def end_launcher(self, *, patience_s: float) -> None:
        """End the launcher, which ends what it still has."""
        if self._child is not None:
            self._child.end(patience_s=patience_s)

    def interrupt_launcher(self) -> None:
        """Let the launcher end its step in its own time."""
        if self._child is not None and self._child.code is None:
            self._child.signal(signal.SIGTERM)

    def last_words(self) -> str:
        """Return the last lines of what the launcher and the ranks printed while they were starting."""
        return "\n".join(("".join(self.early) + "\n" + self.launcher_words()).splitlines()[-LOG_LINES:]).strip()

    def launcher_words(self) -> str:
        """Return the last lines of the launcher's own, without empty ones and rules."""
        try:
            with open(self._log, encoding="utf-8", errors="replace") as file:
                printed = file.read()[-20_000:].splitlines()
        except OSError:
            return ""
        return "\n".join([line for line in printed if line.strip(" -=*")][-LOG_LINES:])

    def forget(self) -> None:
        """Remove the launcher's log."""
        if os.path.exists(self._log):
            os.unlink(self._log)
