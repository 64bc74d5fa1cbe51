"""``advance``: what users, servers and the record ask for, and who an event is about."""

from __future__ import annotations

import signal
from dataclasses import replace

from ...errors import assert_never
from . import effects as do
from . import events as on
from .following import on_job
from .leaving import leave, on_leaving, resume, seek
from .state import At, Job, Known, Life, Line, Mode, Wish, deadlines
from .turn import Turn
from .words import words

_OVER = (Mode.NEW, Mode.GONE, Mode.DETACHED)


def advance(life: Life, event: on.Event) -> tuple[Life, tuple[do.Effect, ...]]:
    """Return a launch's life after an event, and what is to be done, in order. Total: nothing raises."""
    turn = Turn(life)
    match event:
        case on.Start():
            if life.mode is Mode.NEW:
                turn.do(do.FrontOpen())
                turn.be(mode=Mode.WANTED)
        case on.Adopt():
            if life.mode is Mode.NEW:
                _adopt(turn, event.was)
        case on.TakenOver():
            _on_taken_over(turn, event.by)
        case on.TimeUp():
            if event.deadline in deadlines(life):
                _about(turn, event.deadline.job, event)
        case (
            on.Restart() | on.Interrupt() | on.Signal() | on.Shutdown() | on.Kill()
            | on.Cancel() | on.Stop() | on.Detach()
        ):  # fmt: skip
            _on_user(turn, event)
        case _:
            _about(turn, event.job, event)
    _settle(turn)
    return turn.result()


def _about(turn: Turn, number: int, event: on.OfJob | on.TimeUp) -> None:
    """Hand an event to the job that it is about; of one that is not there any more nothing is heard."""
    life = turn.life
    if life.mode is Mode.TAKEN:
        return
    for job in life.leaving:
        if job.number == number:
            on_leaving(turn, job, event)
    if life.job is not None and life.job.number == number:
        if life.mode is Mode.DETACHED:
            _note(turn, life.job, event)
        else:
            on_job(turn, life.job, event)


def _note(turn: Turn, job: Job, event: on.OfJob | on.TimeUp) -> None:
    """Complete the record of a launch that is left to the next server: what a submission came to."""
    if job.known is not Known.ASKED:
        return
    match event:
        case on.Submitted():
            turn.put(job, known=Known.JOB, id=event.id)
        case on.OutcomeUnknown():
            turn.put(job, known=Known.SEEKING)
        case on.Refused():
            leave(turn, replace(job, known=Known.NOTHING))
        case _:
            pass


def _settle(turn: Turn) -> None:
    """Take the steps that wait for jobs to be out of the way: ended, or tried to, once at least."""
    life = turn.life
    if not all(job.tried for job in life.leaving):
        return
    if life.mode is Mode.WANTED and life.job is None:
        turn.be(job=Job(life.jobs + 1), jobs=life.jobs + 1)
        turn.do(do.Mark("begin"))
        turn.say("submitting", "submitting")
        turn.do(do.Fetch(life.jobs + 1))
    elif life.mode is Mode.STOPPING:
        turn.be(mode=Mode.GONE)
        turn.do(do.FrontClose())
        turn.say("gone", "stopped")
    if turn.life.mode is Mode.GONE and not life.leaving and not life.settled:
        turn.be(settled=True)
        turn.do(do.Forget())


# -- the user


def _on_user(turn: Turn, event: on.OfUser) -> None:
    match event:
        case on.Start():
            pass
        case on.Restart():
            _restart(turn)
        case on.Interrupt():
            _signal(turn, signal.SIGINT)
        case on.Signal():
            _signal(turn, event.signum)
        case on.Shutdown():
            _shutdown(turn, restart=event.restart)
        case on.Kill():
            _shutdown(turn, restart=event.restart)
            _signal(turn, event.signum)
        case on.Cancel():
            _cancel(turn)
        case on.Stop():
            _stop(turn)
        case on.Detach():
            _detach(turn)
        case _:
            assert_never(event)


def _restart(turn: Turn) -> None:
    mode, job = turn.life.mode, turn.life.job
    if mode in (*_OVER, Mode.STOPPING):
        return
    if turn.life.wish is not Wish.NONE and (job is None or job.at is not At.DEAD):
        turn.do(do.FrontAbort(words("restarted")))  # what waits for a kernel that died, waits for the next one
    turn.do(do.FrontOpen())
    turn.be(exit_code=None, wish=Wish.NONE)
    if mode is Mode.ENDED:
        turn.do(do.FrontWait("KeyboardInterrupt", words("restarted")))
        turn.be(mode=Mode.WANTED)
        if job is not None:
            leave(turn, job)
        if turn.life.leaving:
            turn.say("submitting", "clearing")
    elif job is not None and mode is Mode.WANTED and _has_kernel(job):
        turn.do(do.FrontWait("KeyboardInterrupt", words("restarted")), do.Mark("begin"))
        turn.say("starting", "restarting")
        job = turn.put(job, start=job.start + 1, at=At.REATTACHING if job.line is Line.NONE else At.STARTING)
        turn.do(do.TellAgent(job.number, "restart", job.start))


def _has_kernel(job: Job) -> bool:
    """Whether there is an agent that can begin another kernel; else one is still to come, or to be told of."""
    if job.at is At.STARTING:
        return job.line is not Line.NONE
    return job.at in (At.READY, At.DEAD, At.REATTACHING)


def _signal(turn: Turn, signum: int) -> None:
    job = turn.life.job
    if turn.life.mode is not Mode.WANTED:
        return
    if job is not None and job.at in (At.READY, At.REATTACHING):
        turn.do(do.TellAgent(job.number, "signal", int(signum)))
    if signum == signal.SIGINT and (job is None or job.at is not At.READY):
        turn.do(do.FrontAbort(words("interrupted")))


def _shutdown(turn: Turn, *, restart: bool) -> None:
    life = turn.life
    if life.mode in _OVER:
        return
    ready = life.mode is Mode.WANTED and life.job is not None and life.job.at is At.READY
    turn.be(wish=Wish.RESTART if restart else Wish.END, exit_code=life.exit_code if ready else 0)


def _cancel(turn: Turn) -> None:
    life = turn.life
    if life.mode is not Mode.WANTED:
        return
    why = words("cancelled", job=None if life.job is None else life.job.id)
    turn.do(do.FrontEnd("JobCancelled", why), do.Say("ended", why))
    turn.be(mode=Mode.ENDED, exit_code=None if life.wish is Wish.NONE else 0)
    if life.job is not None:
        leave(turn, life.job)


def _stop(turn: Turn) -> None:
    life = turn.life
    if life.mode in (Mode.STOPPING, Mode.GONE, Mode.DETACHED):
        return
    if life.mode is Mode.WANTED:
        turn.do(do.FrontEnd("KernelStopped", words("stopped")))
    if life.mode is Mode.TAKEN:
        turn.do(do.FrontClose())
        turn.say("gone", "stopped")
        turn.be(mode=Mode.GONE, settled=True, exit_code=0)
        return
    turn.be(mode=Mode.STOPPING, exit_code=0 if life.exit_code is None else life.exit_code)
    if life.job is not None:
        leave(turn, life.job)


def _detach(turn: Turn) -> None:
    life = turn.life
    if life.mode is not Mode.WANTED or life.wish is Wish.END:
        _stop(turn)  # there is nothing to keep
        return
    if life.job is not None:  # first: what its agent says from now on is for the next process
        at = life.job.at
        turn.do(do.StopFetch(life.job.number) if at is At.PREPARING else do.Release(life.job.number))
    turn.do(do.FrontClose())
    turn.say("gone", "detached")
    turn.be(mode=Mode.DETACHED, exit_code=0)


# -- the record


def _on_taken_over(turn: Turn, by: str) -> None:
    life = turn.life
    if life.mode in (*_OVER, Mode.TAKEN) and not life.leaving:
        return
    jobs = life.leaving if life.job is None else (*life.leaving, life.job)
    turn.do(*(do.Release(job.number) for job in jobs))
    if life.mode in (Mode.STOPPING, Mode.GONE, Mode.DETACHED):
        if life.mode is Mode.STOPPING:
            turn.do(do.FrontClose())
            turn.say("gone", "stopped")
        turn.be(mode=Mode.GONE, job=None, leaving=(), settled=True)
        return
    why = words("taken over", by=by)
    turn.do(do.FrontEnd("KernelTaken", why), do.Say("ended", why))
    turn.be(mode=Mode.TAKEN, job=None, leaving=(), exit_code=None)


def _adopt(turn: Turn, was: Life) -> None:
    if was.settled or was.mode in (Mode.NEW, Mode.TAKEN):
        turn.do(do.FrontClose())
        turn.be(mode=Mode.GONE, settled=True, exit_code=0)
        return
    wanted = was.mode in (Mode.WANTED, Mode.DETACHED) and was.wish is not Wish.END
    turn.be(mode=Mode.WANTED if wanted else Mode.STOPPING, jobs=was.jobs, exit_code=None if wanted else 0)
    for job in was.leaving:
        resume(turn, job)
    if was.job is None:
        turn.do(*[do.FrontOpen()] * wanted)
    elif not wanted:
        leave(turn, was.job) if was.job.known in (Known.NOTHING, Known.JOB) else resume(turn, was.job)
    else:
        turn.do(do.FrontOpen())
        _take(turn, was.job, was.exit_code)


def _take(turn: Turn, job: Job, exit_code: int | None) -> None:
    """Go on with the job of a server that is gone."""
    if job.known is Known.NOTHING:
        leave(turn, job)  # whatever it had prepared
        return
    at = At.REATTACHING if job.at is At.READY else job.at
    turn.put(job, at=at)
    turn.be(exit_code=exit_code if at is At.DEAD else None)
    if at is not At.WAITING:
        turn.say("starting", "reattaching", job=job.id)
    elif job.known is Known.JOB:
        turn.say("pending", "adopted", job=job.id)
    else:
        turn.say("submitting", "unknown outcome")
    if job.known is Known.JOB:
        turn.do(do.Follow(job.number), do.AskScheduler(job.number))
    else:
        seek(turn, replace(job, at=at))
