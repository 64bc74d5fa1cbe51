"""What the form looks up in what a scheduler has said of its site."""

from __future__ import annotations

import fnmatch

from ..core import limits
from ..core.facts import Partition, Policy, Site


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


def has_partitions(site: Site) -> bool:
    """Whether there are partitions to choose from: one that bears its scheduler's name is no choice."""
    return any(partition.name != site.scheduler for partition in site.partitions)


def least(*values: int | None) -> int | None:
    """Return the least of the values that are known, None where none is."""
    known = [value for value in values if value is not None]
    return min(known) if known else None
