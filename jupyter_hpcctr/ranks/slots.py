"""How many ranks there is room for, where, and what becomes of a wish for more."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from .failure import RankError

_TASKS = re.compile(r"(\d+)(?:\(x(\d+)\))?")


@dataclass(frozen=True)
class Node:
    """A node and its slots: the ranks that it has room for."""

    name: str
    slots: int


@dataclass(frozen=True)
class Machine:
    """What a node is on, which may be shared: the identity of a running operating system, and its CPUs."""

    identity: str
    cpus: int


def this_machine() -> Machine:
    """Return the machine of this process."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return Machine(file.read().strip(), os.cpu_count() or 1)


@dataclass(frozen=True)
class Placement:
    """Where ranks go. ``per_node`` is the most on a node; ``reasons`` say what differs from the wish."""

    ranks: int
    nodes: tuple[Node, ...]
    per_node: int
    over: bool
    reasons: tuple[str, ...] = ()


def tasks_per_node(text: str) -> list[int]:
    """Read ``JobVariables.tasks``: ``2(x3),1`` is [2, 2, 2, 1]."""
    return [int(count) for count, times in _TASKS.findall(text) for _ in range(int(times or 1))]


def machine_slots(cgroup: str = "/sys/fs/cgroup/cpu.max") -> int:
    """Return how many CPUs this process may use: its affinity, and a container's quota (cgroup v2, "cpu.max")."""
    cpus = len(os.sched_getaffinity(0))
    try:
        with open(cgroup, encoding="ascii") as file:
            quota, period = file.read().split()
    except (OSError, ValueError):
        return cpus
    return cpus if quota == "max" else max(1, min(cpus, int(quota) // int(period)))


def nodes_of(tasks_text: str, names: Sequence[str]) -> tuple[Node, ...]:
    """Return an allocation's nodes, in its order; one of which nothing is said has room for one rank."""
    tasks = tasks_per_node(tasks_text)
    return tuple(Node(name, tasks[at] if at < len(tasks) else 1) for at, name in enumerate(names))


def crowded(placement: Placement, machines: Mapping[str, Machine]) -> bool:
    """Return whether a machine has more ranks than CPUs. ``machines`` are those that are known, by names of nodes."""
    left, ranks = placement.ranks, dict.fromkeys(machines.values(), 0)
    for node in placement.nodes:
        here = min(node.slots, placement.per_node, left)
        left -= here
        if node.name in machines:
            ranks[machines[node.name]] += here
    return placement.over or any(number > machine.cpus for machine, number in ranks.items())


def place(
    asked: int | None, per_node: int | None, *, nodes: Sequence[Node], oversubscribe: bool, reduce: bool
) -> Placement:
    """Choose the number of ranks and their nodes: as few nodes as hold them, in their order.

    Raises
    ------
    RankError
        More ranks than there are slots, and neither oversubscription nor reduction is wanted.
    """
    if per_node is not None:
        return _place_per_node(asked, per_node, nodes, oversubscribe=oversubscribe, reduce=reduce)
    slots = sum(node.slots for node in nodes)
    ranks = asked or slots
    reasons: tuple[str, ...] = ()
    if ranks > slots and not oversubscribe:
        ranks, reasons = _beyond(ranks, slots, nodes, reduce=reduce)
    if ranks > slots:
        return Placement(ranks, tuple(nodes), math.ceil(ranks / len(nodes)), over=True)
    used: list[Node] = []
    while sum(node.slots for node in used) < ranks:
        used.append(nodes[len(used)])
    return Placement(ranks, tuple(used), max(node.slots for node in used), over=False, reasons=reasons)


def _place_per_node(
    asked: int | None, per_node: int, nodes: Sequence[Node], *, oversubscribe: bool, reduce: bool
) -> Placement:
    wide = [node for node in nodes if node.slots >= per_node or oversubscribe]
    ranks = asked or per_node * len(wide or nodes)
    needed = math.ceil(ranks / per_node)
    if reduce and needed > len(wide):
        return _any_per_node(ranks, per_node, nodes, oversubscribe=oversubscribe)
    if not wide:
        most = max(node.slots for node in nodes)
        raise _refused(f"{per_node} ranks per node", most, nodes, of_node=True)
    if needed > len(wide):
        there = "there is 1" if len(wide) == 1 else f"there are {len(wide)}"
        raise RankError(
            "RanksRefused",
            f"{ranks} ranks at {per_node} per node need {needed} nodes, and {there}",
            hint="ask for less, or start the kernel with more nodes",
        )
    over = any(node.slots < per_node for node in wide[:needed])
    return Placement(ranks, tuple(wide[:needed]), per_node, over=over)


def _any_per_node(ranks: int, per_node: int, nodes: Sequence[Node], *, oversubscribe: bool) -> Placement:
    """Place ranks that were wanted in some number on each node, where there are too few such nodes."""
    placement = place(ranks, None, nodes=nodes, oversubscribe=oversubscribe, reduce=True)
    if placement.reasons:
        return placement
    there = "is 1 node" if len(nodes) == 1 else f"are {len(nodes)} nodes"
    reason = f"ranks per node {per_node} → {placement.per_node}: there {there} for them"
    return replace(placement, reasons=(reason,))


def _beyond(asked: int, slots: int, nodes: Sequence[Node], *, reduce: bool) -> tuple[int, tuple[str, ...]]:
    if not reduce:
        raise _refused(f"{asked} ranks", slots, nodes, of_node=False)
    if nodes[0].name:
        return slots, (f"ranks {asked} → {slots}: the nodes that are left have room for {slots}",)
    return slots, (f"ranks {asked} → {slots}: this machine has {slots} CPU{'s' * (slots != 1)} for them",)


def _refused(asked: str, room: int, nodes: Sequence[Node], *, of_node: bool) -> RankError:
    where, more = "the allocation", "start the kernel with more ntasks, "
    if not nodes[0].name:
        where, more = "this machine", ""
    elif of_node:
        where, more = "a node of this allocation", "start the kernel with more --ntasks-per-node, "
    hint = f"{'ask for less' if of_node else f'use -n {room}'}, {more}or add --oversubscribe to share CPUs"
    return RankError("RanksRefused", f"{asked} were asked for, and {where} has room for {room}", hint=hint)
