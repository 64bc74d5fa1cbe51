"""From nothing to ranks that wait for a cell: place, reach the nodes, launch, wait, check."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from typing import Any

from . import explain, slots
from .conversation import Flow
from .failure import RankError
from .slots import Placement
from .work import Work
from .world import World

UP_PATIENCE_S = 180.0
CHECK_PATIENCE_S = 20.0


def bring_up(hub: Work, wanted: Mapping[str, Any], *, behind: bool = False) -> Generator[None, None, World]:
    """Return a running world as it is wanted; one that runs already is kept, unless ``fresh``.

    Raises
    ------
    RankError
        It was refused, did not come up, or another number of ranks runs already.
    """
    while hub.busy_behind and not behind:
        _heed(hub, behind=behind)
        yield
    _heed(hub, "interrupted before the ranks began", behind=behind)
    site = hub.site
    world = site.world
    if world is not None and world.state == "running" and not wanted.get("fresh"):
        refuse_ended(hub, world)
        yield from _fits(hub, world, wanted)
        return world
    launcher = yield from site.launcher()
    placement = yield from placed(hub, wanted)
    if world is not None:
        yield from site.retire(world)
    for reason in placement.reasons:
        hub.notice(reason, level="warning")
    yield from site.reach(placement, behind=behind)
    program = list(hub.config.plan.rank_argv)
    crowded = site.crowded(placement)
    start = launcher.start(site.new_name(), program, placement, pmi=wanted.get("pmi"), extra={}, crowded=crowded)
    hub.notice(f"starting {placement.ranks} rank{'s' * (placement.ranks != 1)} …", fleeting=True)
    world = site.world = site.launch(start, placement)
    try:
        yield from _wait_up(hub, world, behind=behind)
        if site.checked is None or site.checked["key"] != _key(world):
            site.checked = yield from check(hub, world, behind=behind)
            for level in ("error", "info"):
                for line in site.checked[level]:
                    hub.notice(line, level=level)
        _heed(hub, behind=behind)  # or the cell would begin, and the interrupt be for that
    except BaseException:
        yield from site.end(world)
        raise
    world.state = "running"
    world.wanted = dict(wanted)
    return world


def _heed(hub: Work, message: str = "interrupted while the ranks were starting", *, behind: bool) -> None:
    if hub.interrupts and not behind:  # else they are another request's
        raise RankError("Interrupted", message)


def refuse_ended(hub: Work, world: World) -> None:
    """Start a world anew, behind the request, of which ranks have ended since the last one.

    Raises
    ------
    RankError
        Some have: what the next cell needs is lost.
    """
    if world.ended:
        hub.behind(again(hub, world))
        hint = (
            "they are being started again; what they held in memory is lost: run the cells that make it, then this one"
        )
        raise RankError("RanksLost", f"{explain.ended(world)} since the last cell", hint=hint)


def again(hub: Work, world: World) -> Flow:
    """End a broken world and start it anew, with fewer ranks where a node is lost."""
    world.state = "broken"
    yield from hub.site.end(world)
    wanted = {**world.wanted, "ranks": world.ranks, "oversubscribe": world.placement.over, "again": True}
    yield from bring_up(hub, wanted, behind=True)
    return {}


def _fits(hub: Work, world: World, wanted: Mapping[str, Any]) -> Generator[None, None, None]:
    """Let a request pass that the running ranks fulfil.

    Raises
    ------
    RankError
        They do not. What its hint says can be done.
    """
    asked = wanted.get("ranks")
    per_node = wanted.get("ranks_per_node")
    same = asked in (None, world.ranks, world.wanted.get("ranks"))
    if same and per_node in (None, world.placement.per_node, world.wanted.get("ranks_per_node")):
        return
    use = f"leave {' and '.join(explain.sizes(wanted))} out to use the {world.ranks} ranks that run"
    try:
        placement = yield from placed(hub, wanted)
    except RankError as refused:
        if refused.etype != "RanksRefused":
            raise
        shared = yield from _would_fit(hub, {**wanted, "oversubscribe": True})
        hint = f"{use}, or let them share CPUs: {explain.restart(wanted)} --oversubscribe" if shared else use
        raise RankError("RanksRefused", str(refused), hint=hint) from None
    if placement.reasons and placement.ranks == world.ranks:  # new ones would be as many
        for reason in placement.reasons:
            hub.notice(reason, level="warning")
        return
    many = f"{asked} were asked for" if asked else f"{per_node} per node were asked for"
    raise RankError(
        "WorldMismatch",
        f"{world.ranks} ranks are running with their variables, and {many}",
        hint=f"{use}, or start new ones: {explain.restart(wanted)}, or --fresh",
    )


def _would_fit(hub: Work, wanted: Mapping[str, Any]) -> Generator[None, None, bool]:
    try:
        yield from placed(hub, wanted)
    except RankError:
        return False
    return True


def placed(hub: Work, wanted: Mapping[str, Any]) -> Generator[None, None, Placement]:
    """Choose the number of ranks and their nodes."""
    nodes = yield from hub.site.room()
    if not nodes:
        raise RankError("NodesUnreachable", "no node of the allocation is left", hint="restart the kernel")
    plan = hub.config.plan
    return slots.place(
        wanted.get("ranks"),
        wanted.get("ranks_per_node"),
        nodes=nodes,
        oversubscribe=bool(wanted.get("oversubscribe")),
        reduce=plan.beyond == "reduce" or bool(hub.site.lost_nodes and wanted.get("again")),
    )


def _wait_up(hub: Work, world: World, *, behind: bool) -> Generator[None, None, None]:
    until = time.monotonic() + UP_PATIENCE_S
    while len(world.up) < world.ranks:
        for _ in world.drain():
            pass
        if world.ended or world.launcher_code is not None:
            yield from _let_speak(world)
            found_none = explain.found_no_pmi(world)
            hint = (
                explain.hint_pmi(world, (yield from explain.offered(hub.config))) if found_none else explain.HINT_FAILED
            )
            raise RankError("RanksFailed", explain.not_started(world), hint=hint)
        _heed(hub, behind=behind)
        if time.monotonic() > until:
            raise RankError("RanksFailed", explain.too_slow(world, UP_PATIENCE_S), hint=explain.HINT_FAILED)
        yield
    alone = explain.alone(world)
    if alone:
        offered = yield from explain.offered(hub.config)
        raise RankError("Singletons", alone, hint=explain.hint_pmi(world, offered))


def _let_speak(world: World) -> Generator[None, None, None]:
    """Give what went wrong a moment to be printed."""
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        for _ in world.drain():
            pass
        yield


def _key(world: World) -> tuple[Any, ...]:
    return tuple(node.name for node in world.placement.nodes), world.start.shown, world.ranks == 1


def check(hub: Work, world: World, *, behind: bool = False) -> Generator[None, None, dict[str, Any]]:
    """Let the ranks compare notes and measure; what is wrong is told, and nothing is refused by it.

    Raises
    ------
    RankError
        The user interrupted.
    """
    if any(said["mpi"] is None for said in world.up.values()):
        line = explain.no_mpi(world)
        return {"key": _key(world), "ok": False, "lines": [line], "error": [line], "info": []}
    ask = hub.site.ask()
    hub.site.tell(world, {"op": "check", "ask": ask})
    results: dict[int, dict[str, Any]] = {}
    until = time.monotonic() + CHECK_PATIENCE_S
    while time.monotonic() < until and not world.ended:
        for kind, ranks, *rest in world.drain():
            if kind == "checked":
                results[ranks[0]] = {**rest[0]["result"], "error": rest[0].get("error")}
        if len(results) == world.ranks:
            break
        _heed(hub, behind=behind)
        yield
    return {"key": _key(world), **explain.checked(world, results, shares=hub.config.plan.shares)}
