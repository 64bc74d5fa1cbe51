"""What a request would come to, asked before anything is started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..core.cost import Cost
from ..core.limits import Problem


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be submitted, and what is wrong with it.

    ``command`` is the submit command as one line for a shell, "" where none can be drawn; then ``problems`` say
    why. ``resources`` are as in a ``LaunchView``, ``expected_start`` a local time as the scheduler prints it.
    """

    command: str = ""
    script: str = ""
    engine: str = ""
    scheduler: str = ""
    resources: Mapping[str, object] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    expected_start: str | None = None
    cost: Cost | None = None
    image_here: bool = True
