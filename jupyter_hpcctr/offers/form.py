"""The form for a job's resources, made from what the scheduler says of itself and from the site's policy."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable
from typing import Any

from ..core import grammar, limits
from ..core.facts import Partition, Policy, Site
from ..core.wording import duration, memory

Field = dict[str, Any]

SIMPLE = ("partition", "nodes", "ntasks", "cpus_per_task", "mem", "gpus_per_node", "time")
ADVANCED = ("gpu_type", "constraint", "account", "qos")
DEFAULT_MINUTES = 60


def schema(site: Site, policy: Policy) -> dict[str, Any]:
    """Return a JSON Schema (draft-07) whose properties are a request's keys; only what this site has."""
    made = {name: field for name in (*SIMPLE, *ADVANCED) if (field := _FIELDS[name](site, policy)) is not None}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "additionalProperties": False,
        "properties": made,
        "required": [],
    }


def groups(made: dict[str, Any]) -> dict[str, Any]:
    """Return which of a schema's fields are shown at once, and which on demand."""
    present = made["properties"]
    return {
        "groups": [
            {"title": title, "fields": [name for name in names if name in present]}
            for title, names in (("Simple", SIMPLE), ("Advanced", ADVANCED))
        ]
    }


def defaults(site: Site, policy: Policy) -> dict[str, Any]:
    """Return the request, without an image, that the form begins with."""
    chosen: dict[str, Any] = {"scheduler": site.scheduler, "nodes": 1, "cpus_per_task": 1}
    usual = next((p for p in _open(site) if p.is_default and grammar.fits(grammar.WORD, p.name)), None)
    minutes = DEFAULT_MINUTES
    if usual is not None and _has_partitions(site):
        chosen["partition"] = usual.name
        minutes = usual.default_time_minutes or minutes
    account = next((a for a in site.accounts if a.is_default and grammar.fits(grammar.WORD, a.name)), None)
    if account is not None:
        chosen["account"] = account.name
    limits = [policy.max_time_minutes, None if usual is None else usual.time_limit_minutes]
    chosen["time"] = duration(min(minutes, *(each for each in limits if each is not None), minutes))
    return chosen


def gpus(partition: Partition) -> list[tuple[str, int, int | None]]:
    """Return a partition's GPUs: type ("" where none is said), how many a node has, how many are idle in all."""
    idle = None if partition.gres_idle is None else limits.gpus_of(partition.gres_idle)
    has = limits.gpus(partition).items()
    return [(kind, count, None if idle is None else idle.get(kind, 0)) for kind, count in has]


def infiniband(site: Site, policy: Policy) -> list[str]:
    """Return the node features of a site that the policy takes for fast networks."""
    features = {name for partition in site.partitions for name in partition.features or ()}
    return sorted(n for n in features if any(fnmatch.fnmatchcase(n.lower(), p) for p in policy.infiniband_features))


def services(site: Site) -> list[str]:
    """Return the qualities of service that any of the user's accounts has."""
    return sorted({name for account in site.accounts for name in account.qos})


def _open(site: Site) -> list[Partition]:
    return [partition for partition in site.partitions if partition.is_up]


def _has_partitions(site: Site) -> bool:
    # A scheduler whose only partition bears its own name has nothing to choose from.
    return any(partition.name != site.scheduler for partition in site.partitions)


def _most(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return max(known) if known else None


def _least(*values: int | None) -> int | None:
    known = [value for value in values if value is not None]
    return min(known) if known else None


def _most_nodes(site: Site, policy: Policy) -> int | None:
    return _least(_most(_least(p.nodes_total, p.max_nodes) for p in _open(site)), policy.max_nodes)


def _number(title: str, least: int, most: int | None, description: str) -> Field:
    field: Field = {"type": "integer", "title": title, "minimum": least, "description": description}
    if most is not None:
        field["maximum"] = min(max(most, least), grammar.MOST_COUNT)
    return field


def _choice(title: str, names: list[str], description: str) -> Field:
    field: Field = {"type": "string", "title": title, "description": description}
    if names := [name for name in names if grammar.fits(grammar.WORD, name)]:
        return field | {"enum": names}
    return field | {"pattern": grammar.anchored(grammar.WORD)}


def _partition(site: Site, policy: Policy) -> Field | None:
    if not _has_partitions(site):
        return None
    idle = [(p.name, f"{p.nodes_idle} of {p.nodes_total} nodes idle") for p in _open(site)]
    return _choice("Partition", [name for name, _ in idle], _by_partition(idle))


def _by_partition(said: list[tuple[str, str]]) -> str:
    said = [(name, text) for name, text in said if text]
    return said[0][1] if len(said) == 1 else "; ".join(f"{name}: {text}" for name, text in said)


def _nodes(site: Site, policy: Policy) -> Field:
    idle = sum(p.nodes_idle for p in _open(site) if p.is_default) if _has_partitions(site) else None
    return _number("Nodes", 1, _most_nodes(site, policy), "" if idle is None else f"{idle} idle in the usual partition")


def _ntasks(site: Site, policy: Policy) -> Field:
    nodes, cpus = _most_nodes(site, policy), _most(p.cpus_per_node for p in _open(site))
    most = None if not nodes or not cpus else nodes * cpus
    return _number("MPI ranks", 1, most, "On all nodes together; empty leaves the number to %%mpirun")


def _cpus(site: Site, policy: Policy) -> Field:
    return _number("CPUs per rank", 1, _most(p.cpus_per_node or None for p in _open(site)), "")


def _mem(site: Site, policy: Policy) -> Field:
    most = _most(p.mem_mb_per_node or None for p in _open(site))
    text = "4G or 4000M" + (f"; a node has at most {memory(most)}" if most else "")
    return {
        "type": "string",
        "title": "Memory per node",
        "pattern": grammar.anchored(grammar.MEMORY),
        "examples": ["4G", "4000M"],
        "description": text,
    }


def _gpus(site: Site, policy: Policy) -> Field | None:
    found = [(p.name, gpus(p)) for p in _open(site) if gpus(p)]
    if not found:
        return None
    idle = [
        (name, ", ".join(f"{idle} {kind or 'GPU'} idle" for kind, _, idle in has if idle is not None))
        for name, has in found
    ]
    most = max(count for _, has in found for _, count, _ in has)
    return _number("GPUs per node", 0, most, _by_partition(idle))


def _gpu_type(site: Site, policy: Policy) -> Field | None:
    kinds = sorted({kind for p in _open(site) for kind, _, _ in gpus(p) if kind})
    return _choice("GPU type", kinds, "") if kinds else None


def _constraint(site: Site, policy: Policy) -> Field | None:
    names = infiniband(site, policy)
    return _choice("InfiniBand", names, "Only nodes on this network") if names else None


def _time(site: Site, policy: Policy) -> Field:
    most = _least(_most_minutes(site), policy.max_time_minutes)
    text = "Minutes, 1:00:00 or 2-00:00:00" + (f"; at most {duration(most)}" if most else "")
    return {
        "type": "string",
        "title": "Time limit",
        "pattern": grammar.anchored(grammar.TIME),
        "examples": ["1:00:00", "2-00:00:00"],
        "description": text,
    }


def _most_minutes(site: Site) -> int | None:
    limits = [p.time_limit_minutes for p in _open(site)]
    return None if None in limits else _most(limits)


def _account(site: Site, policy: Policy) -> Field | None:
    return _choice("Account", [a.name for a in site.accounts], "") if _has_partitions(site) else None


def _qos(site: Site, policy: Policy) -> Field | None:
    return _choice("Quality of service", services(site), "") if _has_partitions(site) else None


_FIELDS: dict[str, Callable[[Site, Policy], Field | None]] = {
    "partition": _partition,
    "nodes": _nodes,
    "ntasks": _ntasks,
    "gpus_per_node": _gpus,
    "time": _time,
    "cpus_per_task": _cpus,
    "mem": _mem,
    "gpu_type": _gpu_type,
    "constraint": _constraint,
    "account": _account,
    "qos": _qos,
}
