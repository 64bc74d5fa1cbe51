"""One distributed cell, and what is done when a rank fails while others wait for it."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from typing import Any

from . import explain
from .bringup import again, bring_up
from .conversation import Flow
from .failure import RankError
from .output import TOGETHER_S, Output
from .work import Work
from .world import World

GRACE_S = 0.4
STACK_PATIENCE_S = 1.6
STUCK_S = 1.0


class Cell:
    """A cell that runs on some ranks of a world: who is still at it, who has failed, who is gone."""

    def __init__(self, hub: Work, world: World, ranks: set[int]) -> None:
        self.world = world
        self.output = Output(hub)
        self.pending = set(ranks)
        self.failed: dict[int, dict[str, Any]] = {}
        self.gone: list[int] = []
        self.stacks: dict[int, list[str]] = {}
        self.interrupted = False
        self._finished: list[int] = []
        self._told = time.monotonic()

    @property
    def trouble(self) -> bool:
        """Whether a rank has failed or is gone."""
        return bool(self.failed or self.gone)

    def absorb(self) -> None:
        """Pass on what the ranks tell."""
        for kind, ranks, *rest in self.world.drain():
            if self.output.take(kind, ranks, rest):
                continue
            if kind == "stack":
                self.stacks[ranks[0]] = rest[0]["lines"]
            elif kind == "done":
                self.pending.difference_update(ranks)
                self._finished += ranks
                if rest[1] == "error":
                    self._on_failure(ranks, rest[2])
            elif kind == "gone":
                self.pending.discard(ranks[0])
                self.gone.append(ranks[0])
                self.output.say("gone", rank=ranks[0], why=explain.ending(rest[0], self.world, ranks[0]))
        self._tell_finished()
        self.output.tick()

    def _tell_finished(self) -> None:
        """Say who is done, now and then: most are about to be, and each word wakes the kernel."""
        now = time.monotonic()
        if self._finished and self.pending and now - self._told > TOGETHER_S:
            self.output.say("finished", ranks=self._finished)
            self._finished, self._told = [], now

    def _on_failure(self, ranks: list[int], error: Mapping[str, Any]) -> None:
        if self.interrupted and error["ename"] == "KeyboardInterrupt":
            return
        self.failed.update(dict.fromkeys(ranks, dict(error)))
        self.output.say("failure", ranks=sorted(ranks), **error)


def execute(hub: Work, request: Mapping[str, Any]) -> Flow:
    """Run a cell on ranks; end it as soon as one fails, and leave no ranks behind that are stuck."""
    world = yield from bring_up(hub, request["start"])
    ranks = chosen(request, world)
    for _ in world.drain():  # what came between cells belongs to none
        pass
    cell = Cell(hub, world, ranks)
    world.busy = set(ranks)
    message = {name: request[name] for name in ("cell", "code", "limit", "spill")}
    hub.site.tell(world, {"op": "execute", **message}, ranks)
    status = yield from _watch(hub, cell, request.get("timeout"))
    cell.output.flush()
    if status == "ok":
        return {"status": "ok"}
    respawned = yield from _settle(hub, cell)
    if status == "interrupted" and cell.failed:
        status = "error"
    return {
        "status": status,
        "message": explain.outcome(status, cell.failed, cell.gone, world.ranks, request.get("timeout")),
        "failed": sorted(cell.failed),
        "respawned": respawned,
    }


def chosen(request: Mapping[str, Any], world: World) -> set[int]:
    """Return the ranks that a request is for.

    Raises
    ------
    RankError
        One of them does not exist.
    """
    ranks = set(range(world.ranks)) if request.get("ranks") is None else set(request["ranks"])
    if beyond := sorted(rank for rank in ranks if rank >= world.ranks):
        raise RankError(
            "NoSuchRank", f"there is no rank {beyond[0]}: the {world.ranks} ranks are 0 to {world.ranks - 1}"
        )
    return ranks


def _watch(hub: Work, cell: Cell, timeout: float | None) -> Generator[None, None, str]:
    """Return how the cell went: ok, error (some may still be at it), interrupted or timeout."""
    until = None if timeout is None else time.monotonic() + timeout
    since = 0.0
    while True:
        cell.absorb()
        if cell.trouble:
            since = since or time.monotonic()
            if cell.gone or not cell.pending or time.monotonic() - since > GRACE_S:
                return "error"
        elif not cell.pending:
            return "ok"
        elif hub.interrupts:
            return "interrupted"
        elif until is not None and time.monotonic() > until:
            return "timeout"
        yield


def _settle(hub: Work, cell: Cell) -> Generator[None, None, bool]:
    """Say where the others stand, interrupt them, and start all anew where that does not help.

    Returns
    -------
    respawned
        Whether the ranks are started anew, which goes on behind the request.
    """
    world, seen = cell.world, hub.interrupts
    if cell.gone and (said := world.launcher_words()):
        cell.output.say("notice", text=f"{world.start.shown.split()[0]} said:\n{said}", level="error", fleeting=False)
    if cell.pending:
        yield from _tell_stacks(hub, cell)
    cell.interrupted = True
    if cell.pending and not cell.gone:
        hub.site.tell(world, {"op": "interrupt"}, cell.pending)
        until = time.monotonic() + STUCK_S
        while cell.pending and not cell.gone and time.monotonic() < until and hub.interrupts == seen:
            yield
            cell.absorb()
    cell.output.flush()
    if not cell.pending and not cell.gone:
        return False
    hub.behind(again(hub, world))
    return True


def _tell_stacks(hub: Work, cell: Cell) -> Generator[None, None, None]:
    asked = set(cell.pending)
    hub.site.tell(cell.world, {"op": "stack", "ask": hub.site.ask()}, asked)
    until = time.monotonic() + STACK_PATIENCE_S
    while not asked <= cell.stacks.keys() | set(cell.gone) and time.monotonic() < until:
        yield
        cell.absorb()
    together: dict[tuple[str, ...], list[int]] = {}
    for rank in sorted(asked & cell.stacks.keys()):
        together.setdefault(tuple(cell.stacks[rank]), []).append(rank)
    stacks = [[ranks, list(lines)] for lines, ranks in together.items()]
    if silent := sorted(asked - cell.stacks.keys() - set(cell.gone)):
        stacks.append([silent, ["does not answer: it is in code that holds the interpreter's lock"]])
    if stacks:
        cell.output.say("stacks", stacks=stacks)
