"""What a site cannot give, said before it is asked."""

from __future__ import annotations

from dataclasses import dataclass

from .facts import Site
from .request import Resources


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one field of a request, by the field's name there, and what to do about it."""

    field: str
    message: str
    hint: str = ""


def problems(resources: Resources, site: Site) -> tuple[Problem, ...]:
    """Say what of the resources the site cannot give; empty where nothing is known to be wrong."""
    return ()
