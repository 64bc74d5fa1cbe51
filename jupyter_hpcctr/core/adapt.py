"""Fits a request that was written elsewhere to this site."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from .facts import Account, Partition, Policy, Site
from .limits import gpus, missing_feature, partition_of
from .request import KernelRequest, Resources
from .wording import memory, minutes_text, title


def adapt(request: KernelRequest, sites: Mapping[str, Site], policy: Policy) -> tuple[KernelRequest, tuple[str, ...]]:
    """Return the nearest request that this site can carry out, and what was changed, as sentences.

    ``sites`` are those of the schedulers that answer. The image is kept, whichever it is.
    """
    reasons: list[str] = []
    scheduler = _scheduler(request.scheduler, sites, policy, reasons)
    engine = request.engine
    if engine is not None and engine not in policy.engines:
        reasons.append(f"engine {engine} → {policy.default_engine}: this site does not allow it")
        engine = None
    name = scheduler or policy.default_scheduler
    resources = request.resources
    if name in sites:
        resources = _fit(resources, sites[name], reasons)
    return replace(request, scheduler=scheduler, engine=engine, resources=resources), tuple(reasons)


def _scheduler(asked: str | None, sites: Mapping[str, Site], policy: Policy, reasons: list[str]) -> str | None:
    name = asked or policy.default_scheduler
    usable = [each for each in sites if each in policy.schedulers]
    if name in usable or not usable:
        return asked
    default = policy.default_scheduler
    here = [each for each in usable if sites[each].is_here]
    chosen = default if default in usable else (*here, *usable)[0]
    why = "it does not answer" if name in policy.schedulers else "it is not here"
    reasons.append(f"scheduler {name} → {chosen}: {why}")
    return chosen


def _fit(resources: Resources, site: Site, reasons: list[str]) -> Resources:
    fitted = _named(resources, site, reasons)
    partition = partition_of(fitted, site)
    if partition is None:
        return fitted
    fitted = _chargeable(fitted, site.accounts, partition, reasons)
    fitted = _featured(fitted, partition, reasons)
    return _sized(fitted, partition, reasons)


def _named(resources: Resources, site: Site, reasons: list[str]) -> Resources:
    if resources.partition is None or not site.partitions or partition_of(resources, site) is not None:
        return resources
    return _without(resources, "partition", reasons, "this site has none of that name")


def _chargeable(
    resources: Resources, accounts: Iterable[Account], partition: Partition, reasons: list[str]
) -> Resources:
    mine = {each.name: each.qos for each in accounts}
    account, qos = resources.account, resources.qos
    if account is not None and account not in (mine or partition.accounts):  # another site's is of no use here
        resources = _without(resources, "account", reasons, "none of that name is known to be yours here")
    known = {name for each in mine.values() for name in each} & set(partition.qos or (qos,)) if mine else partition.qos
    if qos is not None and known and qos not in known:
        resources = _without(resources, "qos", reasons, "there is none of that name here")
    return resources


def _featured(resources: Resources, partition: Partition, reasons: list[str]) -> Resources:
    asked = resources.constraint
    if asked is None or partition.features is None or missing_feature(asked, partition) is None:
        return resources
    return _without(resources, "constraint", reasons, "no node here has it")


def _sized(resources: Resources, partition: Partition, reasons: list[str]) -> Resources:
    nodes = min(n for n in (partition.max_nodes, partition.nodes_total) if n is not None)
    cpus = partition.cpus_per_node
    resources = _gpus_sized(resources, partition, reasons)
    for name, most in (
        ("nodes", nodes),
        ("cpus_per_task", cpus),
        ("mem_mb", partition.mem_mb_per_node),
        ("time_minutes", partition.time_limit_minutes),
    ):
        resources = _at_most(resources, name, most, reasons)
    per_node = max(1, cpus // (resources.cpus_per_task or 1))
    resources = _at_most(resources, "ntasks_per_node", per_node, reasons)
    return _at_most(resources, "ntasks", resources.nodes * (resources.ntasks_per_node or per_node), reasons)


def _gpus_sized(resources: Resources, partition: Partition, reasons: list[str]) -> Resources:
    has = gpus(partition)
    if not resources.gpus_per_node:
        return resources
    if resources.gpu_type is not None and resources.gpu_type not in has:
        resources = _without(resources, "gpu_type", reasons, f"the partition {partition.name} has none of that type")
    most = has.get(resources.gpu_type or "", 0) or max(has.values(), default=0)
    return _at_most(resources, "gpus_per_node", most, reasons)


_SHOWN: Mapping[str, Callable[[int], str]] = {"mem_mb": memory, "time_minutes": minutes_text}


def _at_most(resources: Resources, name: str, most: int | None, reasons: list[str]) -> Resources:
    asked = getattr(resources, name)
    if asked is None or most is None or asked <= most or (most < 1 and name != "gpus_per_node"):
        return resources
    shown = _SHOWN.get(name, str)
    reasons.append(f"{title(name)} {shown(asked)} → {shown(most)}: the most here")
    return replace(resources, **{name: most})  # type: ignore[arg-type]


def _without(resources: Resources, name: str, reasons: list[str], why: str) -> Resources:
    reasons.append(f"{title(name)} {getattr(resources, name)} left out: {why}")
    return replace(resources, **{name: None})  # type: ignore[arg-type]
