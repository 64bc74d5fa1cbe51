"""Values between the notebook and the ranks: their bytes go by segments, never through the hub's messages."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from .bringup import bring_up, refuse_ended
from .cell import chosen
from .conversation import Flow
from .failure import RankError
from .nodes import OtherNode
from .work import Work
from .world import World


def push(hub: Work, request: Mapping[str, Any]) -> Flow:
    """Give ranks the values of names."""
    world = yield from bring_up(hub, request["start"])
    ranks = chosen(request, world)
    segment = request["segment"]
    others = [node for node in hub.site.nodes(world) if isinstance(node, OtherNode)]
    message = {"op": "push", "ask": hub.site.ask(), "values": request["values"], "segment": segment}
    try:
        if segment is not None:
            yield from hub.traffic.spread(segment, others)
        said: dict[int, dict[str, Any]] = {}
        yield from ask(hub, world, message, ranks, "pushed", said)
    finally:
        for node in others:
            if segment is not None:
                node.send({"op": "drop", "path": segment["path"]}, None)
    _refuse(said)
    return {"status": "ok"}


def pull(hub: Work, request: Mapping[str, Any]) -> Flow:
    """Return what ranks have under a name."""
    world = hub.site.world
    if world is None or world.state != "running":
        raise RankError("NoRanks", "no ranks are running, so nothing can be pulled", hint="run an %%mpirun cell first")
    refuse_ended(hub, world)
    ranks = chosen(request, world)
    message = {"op": "pull", "ask": hub.site.ask(), "name": request["name"]}
    said: dict[int, dict[str, Any]] = {}
    found: dict[int, dict[str, Any]] = {}
    try:
        yield from ask(hub, world, message, ranks, "pulled", said)
        _refuse(said)
        for rank in sorted(said):
            segment = said[rank]["segment"]
            node = hub.node(world.places.get(rank, ""))
            if segment is not None and isinstance(node, OtherNode):
                segment = yield from hub.traffic.gather(segment, node)
            found[rank] = {"header": said[rank]["header"], "segment": segment}
    except BaseException:
        hub.site.given_up.add(message["ask"])
        _drop(hub, world, said, found)
        raise
    return {"status": "ok", "values": found}


def _drop(hub: Work, world: World, said: Mapping[int, Any], found: Mapping[int, Any]) -> None:
    """Remove the segments that nobody will fetch any more."""
    for rank in said:
        if rank in found:  # it has been copied to this node
            hub.site.remove(hub.own.name, found[rank]["segment"])
        else:
            hub.site.remove(world.places.get(rank, ""), said[rank].get("segment"))


def ask(
    hub: Work, world: World, message: Mapping[str, Any], ranks: set[int], kind: str, said: dict[int, dict[str, Any]]
) -> Generator[None, None, None]:
    """Ask ranks something, and put what each answers into ``said``.

    Raises
    ------
    RankError
        A rank ended, or the user interrupted.
    """
    hub.site.tell(world, message, ranks)
    gone: list[int] = []
    while True:
        for what, who, *rest in world.drain():
            if what == kind and rest[0]["ask"] == message["ask"]:
                said.update(dict.fromkeys(who, rest[0]))
            elif what == "gone":
                gone += who
        if gone:  # what came with it is known by now, and can be given up
            raise RankError("RanksLost", f"rank {gone[0]} has ended", hint="%mpirun restart starts them anew")
        if hub.interrupts:
            hub.site.tell(world, {"op": "interrupt"}, ranks - said.keys())
            raise RankError("Interrupted", "interrupted while values were moved")
        if len(said) >= len(ranks):
            return
        yield


def _refuse(said: Mapping[int, Mapping[str, Any]]) -> None:
    for rank, answer in sorted(said.items()):
        if answer.get("error"):
            raise RankError("ValueNotMoved", f"rank {rank}: {answer['error']}")
