"""Jobs that nobody wants any more: each is followed until it has ended, is cancelled, or was never there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..job import Ending
from . import effects as do
from . import events as on
from .state import SEEKS, At, Job, Known, Line
from .turn import Turn


def leave(turn: Turn, job: Job) -> None:
    """Begin to end a job, in whatever state it is; the launch's own is so no more."""
    if turn.life.job is not None and turn.life.job.number == job.number:
        turn.be(job=None)
    if job.known is Known.NOTHING or job.at is At.OVER:
        turn.do(*[do.StopFetch(job.number)] * (job.at is At.PREPARING), do.Discard(job.number))
        return
    job = replace(job, start=1, run="", cause=None, doubt=False)  # nothing of these is wanted any more
    if job.line is not Line.NONE:
        turn.do(do.TellAgent(job.number, "end"))
    if job.known is not Known.JOB:
        _put(turn, job, at=At.UNSETTLED)
    elif job.line is Line.HEARD:
        _put(turn, job, at=At.FAREWELL)
    else:
        _cancel(turn, job)


def resume(turn: Turn, job: Job) -> None:
    """Take over a job that another server was ending."""
    if job.known is Known.JOB:
        _cancel(turn, job)
    else:
        seek(turn, job, at=At.UNSETTLED)


def seek(turn: Turn, job: Job, **changes: Any) -> None:
    """Ask for the job by its token."""
    job = replace(job, **{"known": Known.SEEKING, "asking": True, **changes})
    turn.do(do.Seek(job.number))
    if job.at is At.UNSETTLED:
        _put(turn, job)
    else:
        turn.put(job)


def on_leaving(turn: Turn, job: Job, event: on.OfJob | on.TimeUp) -> None:
    """Follow a job that is to be ended."""
    match event:
        case on.Submitted() | on.Found() if job.known is not Known.JOB:
            leave(turn, replace(job, known=Known.JOB, id=event.id, asking=False, tries=0))
        case on.Refused() if job.line is Line.NONE and job.known is Known.ASKED:
            _finish(turn, job)
        case on.Refused() | on.OutcomeUnknown() if job.known is Known.ASKED:
            seek(turn, job)
        case on.NotFound() if job.line is Line.NONE and job.missing + 1 >= SEEKS and job.known is Known.SEEKING:
            _finish(turn, job)
        case on.NotFound() | on.NoAnswer() if job.known is Known.SEEKING:
            missing = min(job.missing + isinstance(event, on.NotFound), SEEKS)
            _put(turn, job, asking=False, tries=job.tries + 1, tried=True, missing=missing)
        case on.CancelDone() if job.at is At.CANCELLING:
            _finish(turn, job)
        case on.CancelFailed() if job.at is At.CANCELLING:
            _put(turn, job, asking=False, tries=job.tries + 1, tried=True)
        case on.Ended() if not (event.status.ending is Ending.LOST and job.line is Line.HEARD):
            _finish(turn, job)
        case on.Pending() | on.Requeued() if job.at is At.CHECKING:
            _cancel(turn, job)
        case on.Hello():
            turn.do(do.TellAgent(job.number, "end"))
            _put(turn, job, line=Line.HEARD)
        case on.Bye():
            at = At.CHECKING if job.at is At.FAREWELL else job.at
            turn.do(*[do.AskScheduler(job.number, ended=True)] * (at is At.CHECKING))
            _put(turn, job, line=Line.NONE, at=at)
        case on.TimeUp() if event.deadline.at is At.UNSETTLED:
            seek(turn, job)
        case on.TimeUp():
            _cancel(turn, job)
        case _:
            pass


def _cancel(turn: Turn, job: Job) -> None:
    turn.do(do.CancelJob(job.number))
    _put(turn, job, at=At.CANCELLING, asking=True)


def _finish(turn: Turn, job: Job) -> None:
    turn.do(do.Discard(job.number))
    turn.be(leaving=tuple(each for each in turn.life.leaving if each.number != job.number))


def _put(turn: Turn, job: Job, **changes: Any) -> None:
    others = (each for each in turn.life.leaving if each.number != job.number)
    turn.be(leaving=(*others, replace(job, **changes)))
