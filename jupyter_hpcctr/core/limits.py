"""What a site cannot give, said before it is asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .facts import Partition, Site
from .request import Resources
from .wording import duration, memory, minutes_text

_FEATURE = re.compile(r"[^&|,()\[\]*]+")
_COUNT = re.compile(r"\*[0-9]+")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one field of a request, by the field's name there, and what to do about it."""

    field: str
    message: str
    hint: str = ""


def problems(resources: Resources, site: Site) -> tuple[Problem, ...]:
    """Say what of the resources the site cannot give; empty where nothing is known to be wrong.

    Nothing is said of what is not known: accounts, at a site without accounting.
    """
    partition = partition_of(resources, site)
    if partition is None:
        return tuple(_no_partition(resources, site))
    checks = (_partition, _nodes, _ranks, _memory, _gpus, _features, _time)
    found = [problem for check in checks for problem in check(resources, partition)]
    return (*found, *_account(resources, site, partition))


def partition_of(resources: Resources, site: Site) -> Partition | None:
    """Return the partition that is asked for, or the default one; None where there is none such."""
    for one in site.partitions:
        if one.name == resources.partition or (resources.partition is None and one.is_default):
            return one
    return None


def gpus(partition: Partition) -> dict[str, int]:
    """Return how many GPUs a node has at most, by type; "" is a type without a name."""
    return gpus_of(partition.gres)


def gpus_of(gres: Iterable[str]) -> dict[str, int]:
    """Return the GPUs among generic resources (``gpu:4``, ``gpu:a100:4(S:0-1)``), the greatest count of each type."""
    found: dict[str, int] = {}
    for one in gres:
        name, _, rest = one.partition("(")[0].partition(":")
        kind, _, count = rest.rpartition(":")
        if name == "gpu" and count.isdecimal() and int(count):
            found[kind] = max(found.get(kind, 0), int(count))
    return found


def missing_feature(constraint: str, partition: Partition) -> str | None:
    """Return a feature that no node has although the constraint needs it, None where there may be such nodes.

    Of alternatives one is enough; which belong together is left to the scheduler.
    """
    asked = features(constraint)
    missing = [name for name in asked if name not in (partition.features or ())]
    return missing[0] if missing and ("|" not in constraint or len(missing) == len(asked)) else None


def features(constraint: str) -> tuple[str, ...]:
    """Return the names of features in a constraint (sbatch(1), ``--constraint``)."""
    return tuple(dict.fromkeys(name.strip() for name in _FEATURE.findall(_COUNT.sub("", constraint)) if name.strip()))


def _no_partition(resources: Resources, site: Site) -> Iterator[Problem]:
    if resources.partition is not None and site.partitions:
        yield Problem("partition", f"there is no partition {resources.partition}", _one_of(_names(site)))


def _partition(resources: Resources, partition: Partition) -> Iterator[Problem]:
    if not partition.is_up:
        yield Problem("partition", f"the partition {partition.name} is down", "choose another, or wait")


def _most_nodes(partition: Partition) -> int:
    return min(n for n in (partition.max_nodes, partition.nodes_total) if n is not None)


def _nodes(resources: Resources, partition: Partition) -> Iterator[Problem]:
    most = _most_nodes(partition)
    if resources.nodes > most:
        yield _too_much("nodes", f"{resources.nodes} nodes", f"{most}", f"gives at most {most} to a job", partition)


def _ranks(resources: Resources, partition: Partition) -> Iterator[Problem]:
    cpus, each = partition.cpus_per_node or 1, resources.cpus_per_task or 1
    # What is advised holds for as many nodes as there can be, however many are asked for.
    nodes = max(1, min(resources.nodes, _most_nodes(partition)))
    per_node, total = resources.ntasks_per_node or 1, resources.ntasks
    has = f"has {_count(cpus, 'CPU')} on each node"
    if each > cpus:
        yield _too_much("cpus_per_task", f"{each} CPUs for each rank", f"{cpus}", has, partition)
    elif per_node * each > cpus:
        asked = f"{per_node} ranks on each node with {_count(each, 'CPU')} each"
        yield _too_much("ntasks_per_node", asked, f"{cpus // each}", has, partition)
    elif total is not None and total * each > nodes * cpus:
        asked = f"{total} ranks with {_count(each, 'CPU')} each on {_count(nodes, 'node')}"
        yield _too_much("ntasks", asked, f"{nodes * (cpus // each)}", has, partition)
    if total is not None and total < nodes:
        message = f"{_count(total, 'rank')} cannot be on {nodes} nodes"
        yield Problem("ntasks", message, f"ask for {nodes} ranks at least, or for fewer nodes")
    elif total is not None and resources.ntasks_per_node and total > nodes * per_node:
        message = f"{total} ranks are more than {per_node} on each of {_count(nodes, 'node')}"
        yield Problem("ntasks", message, f"ask for at most {nodes * per_node} ranks, or for more nodes")


def _memory(resources: Resources, partition: Partition) -> Iterator[Problem]:
    most = partition.mem_mb_per_node
    if resources.mem_mb is not None and resources.mem_mb > most:
        asked = f"{memory(resources.mem_mb)} on each node"
        yield _too_much("mem", asked, memory(most), f"has {memory(most)} on each node", partition)


def _gpus(resources: Resources, partition: Partition) -> Iterator[Problem]:
    has, kind = gpus(partition), resources.gpu_type
    if not resources.gpus_per_node:
        return
    if not has:
        yield Problem("gpus_per_node", f"the partition {partition.name} has no GPUs", "choose another partition")
    elif kind is not None and kind not in has:
        yield Problem(
            "gpu_type", f"the partition {partition.name} has no GPUs of type {kind}", _one_of(filter(None, has))
        )
    else:
        most = has[kind] if kind is not None else max(has.values())
        if resources.gpus_per_node > most:
            asked, named = f"{resources.gpus_per_node} GPUs on each node", f" of type {kind}" if kind else ""
            yield _too_much("gpus_per_node", asked, f"{most}", f"has {most}{named} on each node", partition)


def _features(resources: Resources, partition: Partition) -> Iterator[Problem]:
    if not resources.constraint or not partition.features:
        return
    missing = missing_feature(resources.constraint, partition)
    if missing is not None:
        message = f"no node of the partition {partition.name} has the feature {missing}"
        yield Problem("constraint", message, _one_of(partition.features))


def _time(resources: Resources, partition: Partition) -> Iterator[Problem]:
    most = partition.time_limit_minutes
    if most is not None and resources.time_minutes is not None and resources.time_minutes > most:
        asked = minutes_text(resources.time_minutes)
        yield _too_much("time", asked, duration(most), f"ends jobs after {minutes_text(most)}", partition)


def _account(resources: Resources, site: Site, partition: Partition) -> Iterator[Problem]:
    mine = {each.name: each for each in site.accounts}
    default = next((each.name for each in site.accounts if each.is_default), None)
    account, qos = resources.account or default, resources.qos
    where = f"the partition {partition.name}"
    if resources.account is not None and mine and resources.account not in mine:
        yield Problem("account", f"you have no account {resources.account}", _one_of(mine))
    elif account is not None and partition.accounts and account not in partition.accounts:
        theirs = [name for name in partition.accounts if name in mine or not mine]
        yield Problem("account", f"the account {account} may not use {where}", _one_of(theirs))
    allowed = mine[account].qos if account in mine else ()
    if qos is not None and allowed and qos not in allowed:
        yield Problem("qos", f"the account {account} has no quality of service {qos}", _one_of(allowed))
    elif qos is not None and partition.qos and qos not in partition.qos:
        yield Problem("qos", f"{where} does not take the quality of service {qos}", _one_of(partition.qos))


def _too_much(field: str, asked: str, most: str, why: str, partition: Partition) -> Problem:
    return Problem(field, f"{asked}: the partition {partition.name} {why}", f"ask for at most {most}")


def _names(site: Site) -> list[str]:
    return [one.name for one in site.partitions]


def _one_of(names: Iterable[str]) -> str:
    listed = ", ".join(names)
    return f"choose one of: {listed}" if listed else "leave it out"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
