"""What a choice in the form changes about other fields, as JSON Schema says it (draft-07: ``allOf``, ``if``, ``then``).

A page need not know what a partition, an account or a GPU is: it takes together what holds for the values chosen so
far, as ``shown`` does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..core import limits
from ..core.facts import Partition, Policy, Site
from ..core.wording import duration, memory
from .found import gpus, has_partitions, least

Condition = dict[str, Any]
Field = dict[str, Any]
MEMORY_TEXT, TIME_TEXT = "4G or 4000M", "Minutes, 1:00:00 or 2-00:00:00"


def conditions(site: Site, policy: Policy, properties: Mapping[str, Field]) -> list[Condition]:
    """Return what holds beside a form's ``properties``, and when."""
    made: list[Condition] = []
    choice = has_partitions(site)
    for partition in site.partitions:
        when = {"partition": partition.name} if choice else {}
        usual = ("partition",) if partition.is_default else ()
        then = {n: f for n, f in _of_partition(partition, policy, properties).items() if n in properties}
        made.append(_if(when, then, usual=usual))
        for kind, count in _fewer(partition).items() if "gpu_type" in properties else ():
            made.append(_if({**when, "gpu_type": kind}, {"gpus_per_node": {"maximum": count}}, usual=usual))
    if "enum" in properties.get("qos", {}):
        for each in site.accounts:
            if each.qos:
                usual = ("account",) if each.is_default else ()
                made.append(_if({"account": each.name}, {"qos": {"enum": list(each.qos)}}, usual=usual))
    return made


def _if(chosen: Mapping[str, str], then: Mapping[str, Any], *, usual: Collection[str]) -> Condition:
    """Return what holds where all of some values are chosen; ``usual`` ones are meant also where nothing is said."""
    holds = {"properties": dict(then)}
    if not chosen:
        return holds
    when: dict[str, Any] = {"properties": {name: {"const": value} for name, value in chosen.items()}}
    if said := [name for name in chosen if name not in usual]:
        when["required"] = said
    return {"if": when, "then": holds}


def _of_partition(partition: Partition, policy: Policy, properties: Mapping[str, Field]) -> dict[str, Any]:
    nodes = least(partition.nodes_total or None, partition.max_nodes, policy.max_nodes)
    cpus = partition.cpus_per_node or None
    idle = f"{partition.nodes_idle} of {partition.nodes_total} nodes are idle"
    idle += "" if partition.cpus_idle is None else f", {partition.cpus_idle} CPUs"
    of_nodes = {"description": f"At most {nodes}" if nodes else ""}
    made: dict[str, Any] = {
        "partition": {"description": idle, "idle": True},
        "nodes": _at_most(nodes) | (of_nodes if "partition" in properties else {"description": idle, "idle": True}),
        "ntasks": _at_most(nodes * cpus if nodes and cpus else None),
        "cpus_per_task": _at_most(cpus) | ({"description": f"A node has {cpus}"} if cpus else {}),
        "mem": {"description": memory_text(partition.mem_mb_per_node or None)},
        "time": {"description": time_text(least(partition.time_limit_minutes, policy.max_time_minutes))},
        **_of_gpus(partition),
    }
    if partition.features and "enum" in properties.get("constraint", {}):
        made["constraint"] = _among(properties["constraint"]["enum"], partition.features)
    for name, allowed in (("account", partition.accounts), ("qos", partition.qos)):
        if allowed and "enum" in properties.get(name, {}):
            made[name] = _among(properties[name]["enum"], allowed)
    return made


def memory_text(most: int | None) -> str:
    """Return the help for an amount of memory; ``most`` is in MiB, None where that is not known."""
    return MEMORY_TEXT + (f"; a node has at most {memory(most)}" if most else "")


def time_text(most: int | None) -> str:
    """Return the help for a time limit; ``most`` is in minutes, None where there is no limit."""
    return TIME_TEXT + (f"; at most {duration(most)}" if most else "")


def _at_most(most: int | None) -> Field:
    return {"maximum": most} if most else {}


def _among(names: Collection[str], allowed: Collection[str]) -> Field | bool:
    left = [name for name in names if name in allowed]
    return {"enum": left} if left else False


def _of_gpus(partition: Partition) -> dict[str, Any]:
    has = gpus(partition)
    if not has:
        return {"gpus_per_node": {"maximum": 0, "hidden": True}, "gpu_type": False}
    idle = ", ".join(f"{idle} {kind or 'GPUs'} idle" for kind, _, idle in has if idle is not None)
    types = sorted(kind for kind, _, _ in has if kind)
    return {
        "gpus_per_node": {"maximum": max(n for _, n, _ in has), "description": idle, "idle": bool(idle)},
        "gpu_type": {"enum": types} if types else False,
    }


def _fewer(partition: Partition) -> dict[str, int]:
    """Return the types of GPUs of which a node has fewer than of another type, and how many."""
    has = limits.gpus(partition)
    return {kind: count for kind, count in has.items() if kind and count < max(has.values())}
