"""What a job can cost at most, from the scheduler's weights and the site's prices."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .facts import Partition, Policy, Site
from .limits import partition_of
from .request import Resources


@dataclass(frozen=True, slots=True)
class Cost:
    """The most that a job can cost: that it runs to its time limit.

    ``billing`` is the scheduler's number of billing units while it runs, ``hours`` the time limit, ``amount``
    their product by the price, in ``unit``.
    """

    amount: float
    unit: str
    billing: float
    hours: float


def cost(resources: Resources, site: Site, policy: Policy) -> Cost | None:
    """Return what the resources cost at most; None where no time limit or no partition can be known.

    Without prices it is in billing hours, and without weights a billing unit is a CPU. What runs on this machine
    (``Site.is_here``) costs nothing unless it has a price by name.
    """
    partition = partition_of(resources, site)
    limit = _minutes(resources, partition, policy)
    if partition is None or limit is None or (site.is_here and partition.name not in dict(policy.prices)):
        return None
    billing, hours = _billing(resources, partition, site.billing_max), limit / 60
    prices = dict(policy.prices)
    price = prices.get(partition.name, prices.get("*"))
    if price is None:
        return Cost(billing * hours, "billing hours", billing, hours)
    return Cost(billing * hours * price, policy.currency or "units", billing, hours)


def amount(found: Cost) -> str:
    """Return ``2.40 EUR`` or ``1235 billing hours``, rounded up: it is the most."""
    digits = 2 if found.amount < 1000 else 0
    return f"{math.ceil(found.amount * 10**digits - 1e-6) / 10**digits:.{digits}f} {found.unit}"


def _minutes(resources: Resources, partition: Partition | None, policy: Policy) -> int | None:
    if resources.time_minutes is not None or partition is None:
        return resources.time_minutes
    default = partition.default_time_minutes
    return next((n for n in (default, partition.time_limit_minutes, policy.max_time_minutes) if n is not None), None)


def _billing(resources: Resources, partition: Partition, greatest: bool) -> float:
    """Weigh what a job gets, by the names of ``Partition.billing``."""
    cpus, gpus = _cpus(resources), resources.nodes * resources.gpus_per_node
    amounts: dict[str, float] = {
        "cpu": cpus,
        "mem": _mem_mb(resources, partition, cpus) / 1024,
        "node": resources.nodes,
        "gres/gpu": gpus,
        f"gres/gpu:{(resources.gpu_type or '').lower()}": gpus,
    }
    weights = partition.billing or (("cpu", 1.0),)
    billed = [amounts.get(name, 0.0) * weight for name, weight in weights]
    return max(billed) if greatest else sum(billed)


def _cpus(resources: Resources) -> int:
    tasks = resources.ntasks or resources.nodes * (resources.ntasks_per_node or 1)
    return max(tasks, resources.nodes) * (resources.cpus_per_task or 1)


def _mem_mb(resources: Resources, partition: Partition, cpus: int) -> float:
    """Return the memory on all nodes: what is asked for, the default, or without one all that there is."""
    each = resources.mem_mb or partition.default_mem_mb_per_node
    if each is not None:
        return each * resources.nodes
    if partition.default_mem_mb_per_cpu is not None:
        return partition.default_mem_mb_per_cpu * cpus
    return partition.mem_mb_per_node * resources.nodes
