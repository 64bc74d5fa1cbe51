"""The kernel's requests, each as a generator that is resumed after every turn of the hub's loop."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from . import cell, program, values
from .bringup import bring_up
from .conversation import Flow
from .failure import RankError
from .work import Work


def begin(hub: Work, request: Mapping[str, Any]) -> Flow:
    """Return the flow of a request; raises nothing itself."""
    flow = _FLOWS.get(str(request["op"]))
    return _unknown(request) if flow is None else flow(hub, request)


def _unknown(request: Mapping[str, Any]) -> Flow:
    yield
    raise RankError("UnknownRequest", f"the ranks know no request {request['op']!r}", hint="restart the kernel")


def _start(hub: Work, request: Mapping[str, Any]) -> Flow:
    yield from bring_up(hub, request)
    return {"status": "ok", "world": hub.site.described()}


def _restart(hub: Work, request: Mapping[str, Any]) -> Flow:
    world = hub.site.world
    again: dict[str, Any] = {}
    if world is not None and not request.get("ranks"):
        again = {"ranks": world.ranks, "oversubscribe": world.placement.over}
    yield from bring_up(hub, {**request, **again, "fresh": True})
    return {"status": "ok", "world": hub.site.described()}


def _stop(hub: Work, request: Mapping[str, Any]) -> Generator[None, None, dict[str, Any]]:
    while hub.busy_behind:
        if hub.interrupts:
            raise RankError("Interrupted", "interrupted while the ranks were starting, which goes on")
        yield
    world = hub.site.world
    if world is not None:
        yield from hub.site.retire(world)
    return {"status": "ok", "world": hub.site.described()}


_FLOWS = {
    "start": _start,
    "restart": _restart,
    "stop": _stop,
    "execute": cell.execute,
    "push": values.push,
    "pull": values.pull,
    "run": program.run,
}
