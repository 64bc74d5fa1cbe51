"""What a job can cost at most, from the scheduler's weights and the site's prices."""

from __future__ import annotations

from dataclasses import dataclass

from .facts import Policy, Site
from .request import Resources


@dataclass(frozen=True, slots=True)
class Cost:
    """The most that a job can cost: that it runs to its time limit.

    ``billing`` is Slurm's number of billing units while it runs, ``hours`` the time limit, ``amount`` their
    product, in ``unit``.
    """

    amount: float
    unit: str
    billing: float
    hours: float
    upper_bound: bool = True


def cost(resources: Resources, site: Site, policy: Policy) -> Cost | None:
    """Return what the resources cost at most; None where no time limit can be known."""
    return None
