"""Fits a request that was written elsewhere to this site."""

from __future__ import annotations

from collections.abc import Mapping

from .facts import Policy, Site
from .request import KernelRequest


def adapt(request: KernelRequest, sites: Mapping[str, Site], policy: Policy) -> tuple[KernelRequest, tuple[str, ...]]:
    """Return the nearest request that this site can carry out, and what was changed, as sentences."""
    return request, ()
