"""Any MPI program, or a script, as ranks beside those of the notebook: ``%mpirun run``, ``%%mpirun --exec``."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from typing import Any

from . import explain
from .bringup import placed
from .conversation import Flow
from .launcher import program_words
from .output import Output
from .work import Work
from .world import World

LEFT_S = 2.0


def run(hub: Work, request: Mapping[str, Any]) -> Flow:
    """Run a program on ranks, with its output as it comes; return each rank's exit status."""
    site = hub.site
    launcher = yield from site.launcher()
    placement = yield from placed(hub, request)
    for reason in placement.reasons:
        hub.notice(reason, level="warning")
    yield from site.reach(placement)
    words = program_words(request.get("argv"), request.get("script"))
    extra = {name: request[name] for name in ("limit", "spill")}
    crowded = site.crowded(placement)
    start = launcher.start(site.new_name(), words, placement, pmi=request.get("pmi"), extra=extra, crowded=crowded)
    world = site.launch(start, placement)
    output = Output(hub)
    try:
        status = yield from _watch(hub, world, output, request.get("timeout"))
    finally:
        output.flush()
        codes = {rank: world.ended.get(rank) for rank in range(world.ranks)}
        said = world.last_words()
        yield from site.end(world)
    message = explain.program(status, codes, said, request.get("timeout"))
    return {"status": status, "codes": codes, "message": message}


def _watch(hub: Work, world: World, output: Output, timeout: float | None) -> Generator[None, None, str]:
    """Return how it went."""
    until = None if timeout is None else time.monotonic() + timeout
    ending = Ending(world)
    while True:
        for kind, ranks, *rest in world.drain():
            if not output.take(kind, ranks, rest) and kind == "gone" and rest[0] != 0:
                ending.failed = True
        output.tick()
        if status := ending.status():
            return status
        if hub.interrupts:
            return "interrupted"
        if until is not None and time.monotonic() > until:
            return "timeout"
        yield


class Ending:
    """When a program is over: one rank's failure, or the launcher's end, gives the others two seconds."""

    def __init__(self, world: World) -> None:
        self.failed = False
        self._world = world
        self._since = 0.0

    def status(self) -> str:
        """Return ``ok`` or ``error``, "" while it goes on."""
        if len(self._world.ended) == self._world.ranks:
            return "error" if self.failed else "ok"
        if self.failed or self._world.launcher_code is not None:
            self._since = self._since or time.monotonic()
        return "error" if self._since and time.monotonic() - self._since > LEFT_S else ""
