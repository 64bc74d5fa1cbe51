"""Values between the notebook and the ranks: their bytes go by segments, never through the hub's messages."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

from .bringup import bring_up
from .cell import chosen
from .failure import RankError
from .nodes import OtherNode
from .world import World

if TYPE_CHECKING:
    from .hub import Flow, Hub


def push(hub: Hub, request: Mapping[str, Any]) -> Flow:
    """Give ranks the values of names."""
    world = yield from bring_up(hub, request["start"])
    ranks = chosen(request, world)
    segment = request["segment"]
    others = [node for node in hub.site.nodes(world) if isinstance(node, OtherNode)]
    if segment is not None:
        yield from hub.traffic.spread(segment, others)
    message = {"op": "push", "ask": hub.site.ask(), "values": request["values"], "segment": segment}
    try:
        said = yield from ask(hub, world, message, ranks, "pushed")
    finally:
        for node in others:
            if segment is not None:
                node.send({"op": "drop", "path": segment["path"]}, None)
    _refuse(said)
    return {"status": "ok"}


def pull(hub: Hub, request: Mapping[str, Any]) -> Flow:
    """Return what ranks have under a name."""
    world = hub.site.world
    if world is None or world.state != "running":
        raise RankError("NoRanks", "no ranks are running, so nothing can be pulled", hint="run an %%mpirun cell first")
    ranks = chosen(request, world)
    message = {"op": "pull", "ask": hub.site.ask(), "name": request["name"]}
    said = yield from ask(hub, world, message, ranks, "pulled")
    _refuse(said)
    found = {}
    for rank in sorted(said):
        segment = said[rank]["segment"]
        node = hub.node(world.places.get(rank, ""))
        if segment is not None and isinstance(node, OtherNode):
            segment = yield from hub.traffic.gather(segment, node)
        found[rank] = {"header": said[rank]["header"], "segment": segment}
    return {"status": "ok", "values": found}


def ask(
    hub: Hub, world: World, message: Mapping[str, Any], ranks: set[int], kind: str
) -> Generator[None, None, dict[int, dict[str, Any]]]:
    """Ask ranks something and return what each answers.

    Raises
    ------
    RankError
        A rank ended, or the user interrupted.
    """
    hub.site.tell(world, message, ranks)
    said: dict[int, dict[str, Any]] = {}
    while len(said) < len(ranks):
        for what, who, *rest in world.drain():
            if what == kind and rest[0]["ask"] == message["ask"]:
                said.update(dict.fromkeys(who, rest[0]))
            elif what == "gone":
                raise RankError("RanksLost", f"rank {who[0]} has ended", hint="%mpirun restart starts them anew")
        if hub.interrupts:
            raise RankError("Interrupted", "interrupted while values were moved")
        yield
    return said


def _refuse(said: Mapping[int, Mapping[str, Any]]) -> None:
    for rank, answer in sorted(said.items()):
        if answer.get("error"):
            raise RankError("ValueNotMoved", f"rank {rank}: {answer['error']}")
