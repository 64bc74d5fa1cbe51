"""Where a launch stands, told in one place: to the waiting cell, and to those who observe."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Any, cast

from ..core import story
from ..core.job import Ending, JobStatus
from ..core.life.effects import Facts, Mark, Say
from ..core.life.words import Words
from ..core.plan import LaunchPlan
from ..core.pulling import figures
from ..core.request import KernelRequest, Resources, to_dict
from ..edge.front import Front
from ..errors import assert_never
from .observers import Observers
from .view import LaunchView

# What is forgotten when a job that had ended begins again, and when there is to be a new one.
_AGAIN: Mapping[str, Any] = {
    "reason": "",
    "nodes": "",
    "expected_start": None,
    "end_time": None,
    "error": None,
    "ending": None,
    "checkpoint": None,
}
_ANEW: Mapping[str, Any] = {**_AGAIN, "job": None}


def first_view(launch: str, kernel_id: str, request: KernelRequest) -> LaunchView:
    """Return what is known of a launch from its request alone."""
    return LaunchView(
        launch,
        kernel_id=kernel_id,
        scheduler=request.scheduler or "",
        engine=request.engine or "",
        image="" if request.image is None else request.image.text,
        resources=resources_dict(request.resources),
        request=to_dict(request),
        submitted=time.time(),
        time_limit_minutes=request.resources.time_minutes,
    )


class Progress:
    """Keeps a launch's view and its phases. In the edge loop.

    ``left`` is the last view of a launch that is left to another process, None while it is not: gone from here alone.
    """

    def __init__(self, observers: Observers, front: Front, view: LaunchView) -> None:
        self.view = view
        self.left: LaunchView | None = None
        self.phases: dict[str, float] = dict(view.phases)
        self._observers, self._front = observers, front
        self._told = self.view
        self._began = time.monotonic()

    def asked(self, *, scheduler: str, engine: str) -> None:
        """It is known which scheduler and which engine a new job is to have."""
        self.tell(scheduler=scheduler, engine=engine)

    def planned(self, plan: LaunchPlan) -> None:
        """What will be submitted is known; observers hear of it with what is told next."""
        image = plan.image
        self.view = dataclasses.replace(
            self.view,
            fetch=None,
            digest="" if image is None else image.digest,
            resources=resources_dict(plan.resources),
            time_limit_minutes=plan.resources.time_minutes,
            reasons=plan.reasons,
        )

    def submitted(self, job: str) -> None:
        """The job's id is known."""
        self.tell(job=job, submitted=time.time())

    def carry_out(self, effect: Say | Facts | Mark) -> None:
        """Carry out an effect."""
        match effect:
            case Say():
                self._say(effect)
            case Facts():
                self.tell(**_facts(effect.status))
            case Mark():
                self._mark(effect)
            case _:
                assert_never(effect)

    def text(self, what: Words) -> str:
        """Return a sentence about this launch."""
        view = self.view
        return story.told(
            what,
            scheduler=view.scheduler,
            nodes=view.nodes,
            image=view.image,
            time_limit_minutes=view.time_limit_minutes,
        )

    def _mark(self, mark: Mark) -> None:
        # Observers hear of it with what is told next.
        if mark.phase == "begin":
            self._began = time.monotonic()
            self.phases.clear()
        else:
            self.phases[mark.phase] = time.monotonic() - self._began - mark.before_s

    def _say(self, said: Say) -> None:
        if said.state == "gone":
            self.left = self.view if said.what.key == "detached" else None
            self.tell(state="gone", end_time=None)
            return
        text = self.text(said.what)
        changes: dict[str, Any] = {"fetch": None}
        if self.view.state == "ended":
            changes |= _AGAIN if said.state in ("pending", "starting", "running") else _ANEW
            changes["submitted"] = time.time()
        if said.status is not None:
            changes |= _facts(said.status)
        changes |= self._about(said)
        if said.state == "ended":
            changes |= {"reason": "", "end_time": None, "expected_start": None}
        self._front.say(text)
        self.tell(**changes, state=said.state, message=text)

    def _about(self, said: Say) -> dict[str, Any]:
        """Return what observers are told besides the sentence."""
        what = dict(said.what.values)
        failure, status = said.failure, said.status
        if failure is not None:
            message = failure.message or self.text(said.what)
            about = {"kind": failure.name, "stage": failure.stage, "message": message, "hint": failure.hint}
            return {"error": {**about, "field": failure.field, "transient": failure.transient}}
        match said.what.key:
            case "fetching":
                return {"fetch": figures(cast("str", what["step"]))}
            case "requeued":
                return {"nodes": "", "end_time": None, "checkpoint": None}
            case "node up":
                known: dict[str, Any] = {"reason": "", "expected_start": None}
                known["nodes"] = self.view.nodes or str(what["node"])
                known["end_time"] = self.view.end_time or self._end_time(cast("float", what["age_s"]))
                return known
            case "cancelled":
                return {"ending": Ending.CANCELLED.value}
            case "ended":
                return {"ending": None if status is None or status.ending is None else status.ending.value}
        return {}

    def _end_time(self, age_s: float) -> str | None:
        """Reckon when the time limit ends the job, until the scheduler says it."""
        limit = self.view.time_limit_minutes
        if limit is None:
            return None
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() - age_s + limit * 60))

    def tell(self, **changes: Any) -> None:
        """Tell the observers what has changed; nothing where nothing has, or when the launch is gone."""
        new = dataclasses.replace(self.view, phases=dict(self.phases), **changes)
        if new != self._told and self.view.state != "gone":
            self.view = self._told = self._observers.tell(new)


def _facts(status: JobStatus) -> dict[str, Any]:
    nodes = {"nodes": status.nodes} if status.nodes else {}
    about = {"reason": status.reason, "expected_start": status.expected_start, "end_time": status.end_time}
    return {**about, **nodes}


def resources_dict(resources: Resources) -> dict[str, object]:
    """Return resources as a request names them, with the number of nodes always."""
    return {"nodes": resources.nodes, **to_dict(KernelRequest(resources=resources))}
