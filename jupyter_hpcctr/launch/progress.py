"""Where a launch stands, told in one place: to the waiting cell, and to those who observe."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

from ..core.job import Ending
from ..core.plan import LaunchPlan
from ..core.request import KernelRequest, Resources, to_dict
from ..edge.front import Front
from ..errors import HpcctrError, described
from .observers import Observers
from .view import LaunchView

# What a new job knows nothing of yet.
_ANEW: Mapping[str, Any] = {
    "message": "The job is being submitted …",
    "reason": "",
    "job": None,
    "nodes": "",
    "expected_start": None,
    "end_time": None,
    "fetch": None,
    "error": None,
    "ending": None,
}


class Progress:
    """Keeps a launch's view and its phases. In the edge loop."""

    def __init__(self, observers: Observers, front: Front, launch: str, request: KernelRequest) -> None:
        self.phases: dict[str, float] = {}
        self.view = LaunchView(
            launch,
            scheduler=request.scheduler or "",
            engine=request.engine or "",
            image="" if request.image is None else request.image.text,
            resources=resources_dict(request.resources),
            request=to_dict(request),
            submitted=time.time(),
            time_limit_minutes=request.resources.time_minutes,
        )
        self._observers, self._front = observers, front
        self._began = time.monotonic()

    def begin(self, **changes: Any) -> None:
        """A job is on its way (again): count its phases from now."""
        self._began = time.monotonic()
        self.phases.clear()
        self.tell(**changes)

    def anew(self, *, scheduler: str, engine: str) -> None:
        """A new job is asked for, the first or another: forget what was known of the last one."""
        self.begin(
            **{**_ANEW, "state": "submitting", "submitted": time.time(), "scheduler": scheduler, "engine": engine}
        )

    def mark(self, phase: str, *, before: float = 0.0) -> None:
        """Note that a phase is reached; observers hear of it with what is told next."""
        self.phases[phase] = time.monotonic() - self._began - before

    def planned(self, plan: LaunchPlan) -> None:
        """What will be submitted is known."""
        image = plan.image
        self.tell(
            state="submitting",
            message=_ANEW["message"],
            fetch=None,
            digest="" if image is None else image.digest,
            resources=resources_dict(plan.resources),
            time_limit_minutes=plan.resources.time_minutes,
            reasons=plan.reasons,
        )

    def say(self, text: str, **changes: Any) -> None:
        """Show a sentence in the waiting cell, and to the observers."""
        self._front.say(text)
        self.tell(message=text, **changes)

    def tell(self, **changes: Any) -> None:
        """Tell the observers what has changed; nothing where nothing has, or when the launch is gone."""
        new = dataclasses.replace(self.view, phases=dict(self.phases), **changes)
        if new != self.view and self.view.state != "gone":
            self.view = self._observers.tell(new)

    def ended(self, text: str, ending: Ending | None) -> None:
        """The job is over."""
        how = None if ending is None else ending.value
        self.tell(state="ended", message=text, ending=how, reason="", end_time=None, expected_start=None, fetch=None)

    def failed(self, error: HpcctrError, text: str) -> None:
        """There is no job: it was refused, or could not be asked for."""
        self.tell(state="ended", message=text, error=described(error), end_time=None, fetch=None)


def resources_dict(resources: Resources) -> dict[str, object]:
    """Return resources as a request names them, with the number of nodes always."""
    return {"nodes": resources.nodes, **to_dict(KernelRequest(resources=resources))}
