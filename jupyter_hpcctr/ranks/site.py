"""What the hub has: the allocation's nodes, the MPI that was found, and the worlds that run on them."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Generator, Iterator, Mapping
from typing import Any, Protocol, TypeVar

from ..agent.children import Child
from ..protocol.ranks import Steps
from . import slots
from .bundle import Item
from .config import Config
from .conversation import Conversation
from .failure import RankError
from .found import asked, look
from .launch_nodes import listening_address, start_nodes
from .launcher import Launcher, Start
from .nodes import Node, OtherNode, OwnNode, Switchboard
from .segments import Shelf
from .slots import Placement
from .world import World

NODES_PATIENCE_S = 60.0
T = TypeVar("T")
NAMES = {"openmpi": "Open MPI", "mpich": "MPICH"}
KILLED_S, NATURAL_S, EXIT_PATIENCE_S, FAREWELL_S, CLOSE_S = 1.0, 0.5, 1.0, 2.0, 1.4


class Nodes(Conversation, Protocol):
    """The nodes that there are, and the conversation in which others are reached; the hub is one."""

    config: Config
    own: OwnNode
    shelf: Shelf
    switchboard: Switchboard | None
    """None until other nodes were first needed."""

    def node(self, name: str) -> Node | None:
        """Return a node that is there."""
        ...

    def open_switchboard(self, address: str) -> Switchboard:
        """Listen for other nodes at an address, from now on."""
        ...


class Site:
    """Worlds by name, and where they may run. ``world`` is the one of the notebook's own cells."""

    def __init__(self, hub: Nodes, looking: Generator[None, None, dict[str, str]] | None = None) -> None:
        self.worlds: dict[str, World] = {}
        self.world: World | None = None
        self.checked: dict[str, Any] | None = None
        self.asks = 0
        self.lost_nodes: list[str] = []
        self.given_up: set[int] = set()
        """Asks for values that nobody waits for any more."""
        self._hub = hub
        self._launcher: Launcher | None = None
        self._looking = looking
        self._names: list[str] = []
        self._others: list[Child] = []

    # -- what there is

    def launcher(self) -> Generator[None, None, Launcher]:
        """Find out, once, how MPI programs are started here."""
        if self._launcher is None:
            looking, self._looking = self._looking or look(self._hub.config), None
            found = yield from self._unless_interrupted(looking)
            self._launcher = Launcher(self._hub.config, found)
        return self._launcher

    def _unless_interrupted(self, asking: Generator[None, None, T]) -> Generator[None, None, T]:
        while True:
            try:
                next(asking)
            except StopIteration as stop:
                answered: T = stop.value
                return answered
            if self._hub.interrupts:
                asking.close()
                raise RankError("Interrupted", "interrupted before any rank was started")
            yield

    def room(self) -> Generator[None, None, tuple[slots.Node, ...]]:
        """Return the nodes that are left, with their slots."""
        config = self._hub.config
        steps = config.plan.steps
        if steps is None:
            return (slots.Node("", slots.machine_slots()),)
        if not self._names:
            self._names = yield from self._ask_names(steps)
        all_nodes = slots.nodes_of(os.environ.get(steps.variables.tasks, ""), self._names)
        return tuple(node for node in all_nodes if node.name not in self.lost_nodes)

    def _ask_names(self, steps: Steps) -> Generator[None, None, list[str]]:
        """Return the names of the allocation's nodes, this one among them."""
        own = self._hub.config.node
        if int(os.environ.get(steps.variables.nodes, "1")) == 1:
            return [own]
        names = yield from asked(self._hub.config, steps.names)
        if own not in names:
            found = " ".join(names)
            raise RankError("NodesUnknown", f"the scheduler does not say which nodes this job has: {found}")
        return names

    def reach(self, placement: Placement, *, behind: bool = False) -> Generator[None, None, None]:
        """Have a process on each other node of a placement.

        Raises
        ------
        RankError
            A node could not be reached.
        """
        hub = self._hub
        missing = [node.name for node in placement.nodes if node.name and hub.node(node.name) is None]
        if not missing:
            return
        board = hub.switchboard
        if board is None:
            board = hub.open_switchboard((yield from listening_address(hub.config, missing)))
        hub.notice(f"reaching {', '.join(missing)} …", fleeting=True)
        log = f"{hub.config.run_dir}/nodes.log"
        child = start_nodes(hub.config, missing, board.invitation, log)
        self._others.append(child)
        until = time.monotonic() + NODES_PATIENCE_S
        while absent := [name for name in missing if hub.node(name) is None]:
            interrupted = bool(hub.interrupts) and not behind
            if child.code is not None or time.monotonic() > until or interrupted:
                child.end(patience_s=1)
                board.drop(missing)  # one step for all: those that had come have ended with it
                if interrupted:
                    raise RankError(
                        "Interrupted",
                        f"interrupted while {', '.join(absent)} {'was' if len(absent) == 1 else 'were'} being reached",
                    )
                with open(log, encoding="utf-8", errors="replace") as file:
                    words = file.read().strip()[-2000:]
                raise RankError(
                    "NodesUnreachable",
                    f"no ranks on {', '.join(absent)}: {words or 'the nodes do not answer'}",
                    hint="use fewer ranks, on this node alone, or start the kernel anew",
                )
            yield

    def crowded(self, placement: Placement) -> bool:
        """Return whether ranks of a placement, whose nodes have been reached, have to share CPUs."""
        there = {each.name: self._hub.node(each.name or self._hub.own.name) for each in placement.nodes}
        return slots.crowded(placement, {name: node.machine for name, node in there.items() if node and node.machine})

    # -- worlds

    def launch(self, start: Start, placement: Placement) -> World:
        """Start a world's processes."""
        name = str(start.spec["world"])
        world = World(name, placement, start, log=f"{self._hub.config.run_dir}/{name}.log")
        self.worlds[name] = world
        for node in self.nodes(world):
            node.expect(start.spec)
        world.launch(self._hub.config.run_dir)
        return world

    def nodes(self, world: World) -> Iterator[Node]:
        """Yield the nodes of a world that are there."""
        for each in world.placement.nodes:
            node = self._hub.node(each.name or self._hub.own.name)
            if node is not None:
                yield node

    def tell(self, world: World, message: Mapping[str, Any], ranks: set[int] | None = None) -> None:
        """Send a message to all ranks of a world, or some."""
        for node in self.nodes(world):
            node.tell(world.name, message, ranks)

    def retire(self, world: World) -> Generator[None, None, None]:
        """Let a world's ranks end by themselves, which lets MPI tidy up; those that do not are ended."""
        self.tell(world, {"op": "end"})
        until = time.monotonic() + FAREWELL_S
        while len(world.ended) < world.ranks and time.monotonic() < until:
            yield
        yield from self.end(world)

    def end(self, world: World) -> Generator[None, None, None]:
        """End a world's processes and its launcher, at once."""
        for node in self.nodes(world):
            node.kill(world.name)
        until = time.monotonic() + KILLED_S
        while not world.pids.keys() <= world.ended.keys() and time.monotonic() < until:
            yield  # a launcher that is told first would kill wrappers before they have ended what their ranks started
        patience_s = NATURAL_S if all(code == 0 for code in world.ended.values()) else 0.0
        for each_s, end in ((patience_s, world.interrupt_launcher), (EXIT_PATIENCE_S, None)):
            until = time.monotonic() + each_s
            while world.launcher_code is None and time.monotonic() < until:
                yield
            if end is not None:
                end()
        self.drop(world)

    def drop(self, world: World) -> None:
        """Forget a world whose processes have ended."""
        world.end_launcher(patience_s=0)
        for node in self.nodes(world):
            node.forget(world.name)
        world.forget()
        self.worlds.pop(world.name, None)
        if self.world is world:
            self.world = None

    def receive(self, node: str, world: str, items: list[Item]) -> None:
        """Hand what a node tells to its world; a value that comes too late is removed."""
        for kind, _, *rest in items:
            if kind == "pulled" and rest[0]["ask"] in self.given_up:
                self.remove(node, rest[0]["segment"])
        if world in self.worlds:
            self.worlds[world].receive(node, items)

    def remove(self, node: str, segment: Mapping[str, Any] | None) -> None:
        """Remove a segment that a rank of a node has made, and nobody will fetch."""
        there = self._hub.node(node)
        if segment is not None and isinstance(there, OtherNode):
            there.send({"op": "drop", "path": segment["path"]}, None)
        elif segment is not None:
            self._hub.shelf.remove(segment["path"])

    def lost(self, name: str) -> None:
        """Count a node that is silent as lost: nothing is started there any more."""
        self.lost_nodes.append(name)
        for world in self.worlds.values():
            world.lost(name)

    def new_name(self) -> str:
        """Return a name for a world that no other has had."""
        return f"w{secrets.token_hex(4)}"

    def ask(self) -> int:
        """Return a number for a question to ranks."""
        self.asks += 1
        return self.asks

    def described(self) -> dict[str, Any]:
        """Return what ``%mpirun status`` shows."""
        world = self.world
        if world is None:
            state = "starting" if self._hub.busy_behind else "none"
            return {"state": state, "ranks": 0, "nodes": [], "processes": {}, "reasons": [], "checked": None}
        places: dict[str, list[int]] = {}
        for rank, place in sorted(world.places.items()):
            places.setdefault(place, []).append(rank)
        mpi = (world.up.get(0) or {}).get("mpi")
        found = {} if self._launcher is None else self._launcher.found
        versions = {"implementation": NAMES.get(found.get("family", ""), ""), "version": found.get("version", "")}
        return {
            "state": "starting" if self._hub.busy_behind else world.state,
            "ranks": world.ranks,
            "nodes": [{"name": name, "ranks": ranks} for name, ranks in places.items()],
            "slots": sum(node.slots for node in world.placement.nodes),
            "mpi": mpi and {"library": mpi["library"], **versions},
            "launcher": world.start.shown,
            "checked": self.checked,
            "reasons": list(world.placement.reasons),
            "processes": {
                rank: {"pid": pid, "node": world.places.get(rank, ""), "busy": rank in world.busy}
                for rank, pid in sorted(world.pids.items())
                if rank not in world.ended
            },
        }

    def close(self) -> None:
        """End every world and let the nodes go, in ``CLOSE_S`` seconds."""
        board = self._hub.switchboard
        for world in self.worlds.values():
            for node in self.nodes(world):
                node.kill(world.name)
        for other in () if board is None else tuple(board.nodes.values()):
            other.send({"op": "end"}, None)
        until = time.monotonic() + CLOSE_S
        while self._left() and time.monotonic() < until:
            time.sleep(0.01)
        for world in self.worlds.values():
            world.end_launcher(patience_s=0.1)
        for child in self._others:
            child.end(patience_s=0.1)

    def _left(self) -> bool:
        launchers = [world.launcher_code for world in self.worlds.values()]
        return None in launchers or None in [child.code for child in self._others]
