"""The job that has, or will have, the launch's kernel: what image, scheduler and agent say of it."""

from __future__ import annotations

from dataclasses import replace

from ...errors import assert_never
from ..job import Ending, JobId, JobState, JobStatus
from . import effects as do
from . import events as on
from .leaving import leave, seek
from .state import SEEKS, At, Job, Known, Line, Mode, Wish
from .turn import Turn
from .words import Failure, Words, words

_BEGUN = (At.STARTING, At.REATTACHING, At.READY, At.DEAD)


def on_job(turn: Turn, job: Job, event: on.OfJob | on.TimeUp) -> None:
    """Follow the launch's own job."""
    if turn.life.mode is Mode.ENDED and not isinstance(event, on.Hello | on.Requeued):
        return  # it is over, and only its coming back is news
    if job.known is Known.NOTHING and not isinstance(event, on.FetchStep | on.Fetched | on.FetchFailed):
        return  # it was not submitted
    match event:
        case on.FetchStep() | on.Fetched() | on.FetchFailed():
            _on_image(turn, job, event)
        case on.Submitted() | on.Found() | on.Refused() | on.OutcomeUnknown() | on.NotFound() | on.NoAnswer():
            _on_submission(turn, job, event)
        case on.Pending() | on.Running() | on.Ended() | on.Requeued():
            if job.known is Known.JOB:
                _on_status(turn, job, event)
        case on.CancelDone() | on.CancelFailed():
            pass  # nobody has cancelled this one
        case on.TimeUp() if event.deadline.at is At.PARTING:
            _end(turn, job, JobStatus(job.id or JobId(""), JobState.ENDED))
            leave(turn, replace(job, line=Line.NONE))  # nobody has said that it is over
        case on.TimeUp():
            seek(turn, job)
        case on.Hello():
            _on_hello(turn, job, event)
        case on.Bye():
            _on_bye(turn, job, event)
        case on.ImageReady() | on.Ready() | on.Exited() | on.Failed() | on.Silent() | on.Heard():
            if job.line is not Line.NONE:  # else it is an agent's whose job was requeued since
                _on_agent(turn, job, event)
        case _:
            assert_never(event)


def fail(turn: Turn, job: Job, failure: Failure, why: Words) -> None:
    """There is no job: it was refused, or could not be asked for."""
    turn.do(do.FrontEnd(failure.name, why), do.Say("ended", why, failure=failure))
    _be_over(turn)
    leave(turn, job)


def tell_running(turn: Turn, job: Job) -> None:
    """Say that the kernel is there."""
    turn.say("running", "running", job=job.id)


# -- the image and the submission


def _on_image(turn: Turn, job: Job, event: on.OfImage) -> None:
    if job.at is not At.PREPARING:
        return  # a pull goes on when its launch has ended
    match event:
        case on.FetchStep():
            turn.say("fetching", "fetching", step=event.step)
        case on.Fetched():
            turn.do(*[do.Mark("fetched")] * event.pulled)
            turn.say("submitting", "submitting")
            turn.put(job, at=At.WAITING, known=Known.ASKED)
            turn.do(do.Submit(job.number))
        case on.FetchFailed():
            fail(turn, job, event.failure, words("failed", failure=event.failure))
        case _:
            assert_never(event)


_OfSubmission = on.Submitted | on.Found | on.Refused | on.OutcomeUnknown | on.NotFound | on.NoAnswer


def _on_submission(turn: Turn, job: Job, event: _OfSubmission) -> None:
    if job.known not in (Known.ASKED, Known.SEEKING):
        return
    match event:
        case on.Submitted() | on.Found():
            job = turn.put(job, known=Known.JOB, id=event.id, asking=False, tries=0, missing=0)
            turn.do(do.Follow(job.number), do.Mark("submitted"))
            if job.at is At.READY:
                tell_running(turn, job)  # with its id: its agent was quicker
            elif job.at is At.WAITING:
                turn.say("pending", "submitted", job=job.id)
        case on.Refused() | on.OutcomeUnknown() if job.known is not Known.ASKED:
            pass
        case on.Refused():
            if job.line is Line.NONE and job.at is At.WAITING:
                job = replace(job, known=Known.NOTHING)
            else:  # its agent is there all the same
                turn.do(do.Seek(job.number))
                job = replace(job, known=Known.SEEKING, asking=True)
            fail(turn, job, event.failure, words("failed", failure=event.failure))
        case on.OutcomeUnknown():
            if job.at is At.WAITING:
                turn.say("submitting", "unknown outcome")
            seek(turn, job)
        case on.NotFound() | on.NoAnswer():
            if job.known is Known.SEEKING:
                _on_nothing(turn, job, missing=min(job.missing + isinstance(event, on.NotFound), SEEKS))
        case _:
            assert_never(event)


def _on_nothing(turn: Turn, job: Job, *, missing: int) -> None:
    if missing >= SEEKS and job.at is At.WAITING:
        failure = Failure("SchedulerUnreachable", "", stage="scheduler", transient=True)
        fail(turn, replace(job, known=Known.NOTHING), failure, words("not submitted"))
    else:
        turn.put(job, asking=False, tries=job.tries + 1, missing=missing)


# -- the scheduler


def _on_status(turn: Turn, job: Job, event: on.Pending | on.Running | on.Ended | on.Requeued) -> None:
    status = event.status
    match event:
        case on.Pending():
            if job.at is At.WAITING:
                turn.do(do.Say("pending", words("waiting", status=status), status=status))
        case on.Running():
            if job.at is At.WAITING or (job.at is At.STARTING and job.line is Line.NONE):
                turn.put(job, at=At.STARTING)
                turn.do(do.Say("starting", words("waiting", status=status), status=status))
            else:
                turn.put(job, doubt=False)
                turn.do(do.Facts(status))
        case on.Ended():
            if status.ending is Ending.LOST and job.line is Line.HEARD:
                return  # whose agent is heard, that is there
            _end(turn, job, status)
            turn.put(job, at=At.OVER, line=Line.NONE)
        case on.Requeued():
            if job.line is Line.HEARD:
                turn.put(job, doubt=True)  # its first agent is still to part, or its second is already there
            else:
                _revive(turn, job)
                turn.do(do.Say("pending", words("requeued", status=status), status=status))
        case _:
            assert_never(event)


def _end(turn: Turn, job: Job, status: JobStatus) -> None:
    not_begun = status.ending is Ending.CANCELLED and bool(status.nodes) and not job.run
    why = words("ended", words("not begun") if not_begun else job.cause, status=status)
    turn.do(do.FrontEnd("JobEnded", why, log=job.number), do.Say("ended", why, status=status))
    _be_over(turn)


def _be_over(turn: Turn) -> None:
    # A job's end is no crash of a kernel, even if that died first: nothing may start it by itself.
    turn.be(mode=Mode.ENDED, exit_code=None if turn.life.wish is Wish.NONE else 0)


def _revive(turn: Turn, job: Job, *, start: int = 1) -> Job:
    """Begin again with a job that its scheduler has begun again."""
    if job.at is not At.WAITING:
        turn.do(do.FrontWait("JobRequeued", words("requeued")), do.Mark("begin"))
    turn.be(mode=Mode.WANTED, exit_code=None if turn.life.wish is Wish.NONE else 0)
    return turn.put(job, at=At.WAITING, line=Line.NONE, start=start, run="", cause=None, doubt=False)


# -- the agent


def _on_hello(turn: Turn, job: Job, event: on.Hello) -> None:
    if _is_another(job, event):
        job = _revive(turn, job, start=max(event.start, 1))
    before = job.at
    at = At.STARTING if before in (At.WAITING, At.REATTACHING) else before
    start = max(job.start, event.start)
    job = turn.put(job, at=at, line=Line.HEARD, start=start, run=event.run or job.run, doubt=False)
    if at is At.STARTING and before is not At.REATTACHING:
        turn.do(do.Mark("queued", event.age_s), do.Mark("node up"))
        turn.say("starting", "node up", node=event.node, age_s=event.age_s)
    if 0 < event.start < start:
        turn.do(do.TellAgent(job.number, "restart", start))
    elif event.ready:
        _on_ready(turn, job)


def _is_another(job: Job, event: on.Hello) -> bool:
    """Whether it is the first hello of another agent than the one that was heard last."""
    if job.at in (At.PARTING, At.OVER):
        return True
    if job.run and event.run:
        return job.run != event.run
    return (job.at is At.READY and not event.ready) or (job.at is At.DEAD and event.start == 0)


def _on_bye(turn: Turn, job: Job, event: on.Bye) -> None:
    if job.line is Line.NONE and job.at is not At.REATTACHING:
        return
    if job.doubt:
        _revive(turn, job)
        turn.say("pending", "requeued")
    elif job.at in _BEGUN:
        if job.at is At.READY:
            turn.do(do.FrontHold())
        turn.put(job, at=At.PARTING, line=Line.NONE, cause=job.cause or words("quoted", text=event.why))
    turn.do(do.AskScheduler(job.number))


_OfBegun = on.ImageReady | on.Ready | on.Exited | on.Failed | on.Silent | on.Heard


def _on_agent(turn: Turn, job: Job, event: _OfBegun) -> None:
    match event:
        case on.ImageReady():
            turn.do(do.Mark("image ready"))
        case on.Ready():
            if event.start == job.start:
                _on_ready(turn, job)
        case on.Exited():
            if event.start == job.start and job.at in (At.STARTING, At.READY):
                _on_exit(turn, job, event)
        case on.Failed():
            turn.put(job, cause=words("quoted", text=event.why))
        case on.Silent():
            _on_silence(turn, job)
        case on.Heard():
            turn.put(job, line=Line.HEARD)
            if job.line is Line.SILENT and job.at is At.READY:
                tell_running(turn, job)
            if 0 < event.start < job.start:
                turn.do(do.TellAgent(job.number, "restart", job.start))  # it was lost with the connection
        case _:
            assert_never(event)


def _on_ready(turn: Turn, job: Job) -> None:
    if job.at is not At.STARTING or turn.life.wish is not Wish.NONE:
        return  # it was asked to end meanwhile, and is taken to have done so
    turn.do(do.Mark("kernel ready"), do.FrontReady())
    turn.be(exit_code=None)
    tell_running(turn, turn.put(job, at=At.READY))


def _on_exit(turn: Turn, job: Job, event: on.Exited) -> None:
    expected = turn.life.wish is not Wish.NONE
    if not event.ready and not expected:
        turn.put(job, cause=words("early exit", code=event.code))  # the agent's goodbye follows
        return
    if job.at is At.READY:
        turn.do(do.FrontHold())
    if not expected:
        turn.do(do.FrontFail("KernelDied", words("died", code=event.code)))
        turn.say("running", "died", code=event.code)
    turn.be(exit_code=event.code)
    turn.put(job, at=At.DEAD)


def _on_silence(turn: Turn, job: Job) -> None:
    if job.doubt:
        _revive(turn, job)
        turn.say("pending", "requeued")
    else:
        turn.put(job, line=Line.SILENT)
        if job.at is At.READY:
            turn.say("running", "silent")
    turn.do(do.AskScheduler(job.number))
