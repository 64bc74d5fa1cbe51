"""What is said of a job, by its agent or its scheduler, as the events of a launch's life."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..core.job import JobState, JobStatus
from ..core.life import events as on
from ..core.life.words import Failure
from ..errors import HpcctrError

_Said = Mapping[str, Any]
CHECKPOINTS = ("none", "registered", "due", "running", "done", "failed")
_OF_AGENT: Mapping[str, Callable[[int, _Said], on.OfAgent]] = {
    "hello": lambda job, said: on.Hello(
        job,
        node=str(said.get("node") or said.get("host") or ""),
        age_s=float(said["age_s"]),
        run=str(said.get("run", "")),
        start=int(said.get("start", 0)),
        ready=bool(said.get("ready", False)),
    ),
    "image": lambda job, said: on.ImageReady(job),
    "ready": lambda job, said: on.Ready(job, int(said["start"])),
    "exited": lambda job, said: on.Exited(job, int(said["start"]), int(said["code"]), ready=bool(said["ready"])),
    "failed": lambda job, said: on.Failed(job, str(said["why"])),
    "bye": lambda job, said: on.Bye(job, str(said["why"])),
}


def of_agent(job: int, said: _Said) -> on.OfAgent | None:
    """Return what an agent's message comes to, None where it is of a kind that is not known here.

    Raises
    ------
    KeyError, ValueError
        It is not complete.
    """
    read = _OF_AGENT.get(str(said["event"]))
    return None if read is None else read(job, said)


def of_checkpoint(said: _Said) -> Mapping[str, object] | None:
    """Return what an agent says of its kernel's checkpoint, None where nothing is registered.

    Raises
    ------
    KeyError, ValueError, TypeError
        It is not complete.
    """
    state, restore = str(said["state"]), said["restore"]
    if state not in CHECKPOINTS:
        raise ValueError(f"no state of a checkpoint: {state!r}")
    if state == "none" and restore is None:
        return None
    times = {name: None if said[name] is None else float(said[name]) for name in ("runs", "at", "before_s")}
    return {"state": state, **times, "error": str(said["error"]), "restore": None if restore is None else str(restore)}


def of_scheduler(job: int, status: JobStatus, *, requeued: bool) -> on.Pending | on.Running | on.Ended | on.Requeued:
    """Return what a scheduler's status of a job comes to."""
    if requeued:
        return on.Requeued(job, status)
    if status.state is JobState.ENDED:
        return on.Ended(job, status)
    return on.Running(job, status) if status.state is JobState.RUNNING else on.Pending(job, status)


def failure(error: HpcctrError) -> Failure:
    """Return an error as a value."""
    return Failure(type(error).__name__, error.message, error.hint, error.stage, error.field, error.transient)
