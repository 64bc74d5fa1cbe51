"""Every state that a launch's life can reach, and every event in it; and the page that shows them."""

import functools
from collections import defaultdict, deque
from dataclasses import replace
from pathlib import Path

from jupyter_hpcctr.core.job import Ending, JobId, JobState, JobStatus
from jupyter_hpcctr.core.life import Life, advance, effects, events, following, leaving
from jupyter_hpcctr.core.life.state import At, Deadline, Line, Mode, Stage, Wish, deadlines, kept
from jupyter_hpcctr.core.life.words import Failure

REFUSED = Failure("SubmitRefused", "no such partition", stage="scheduler")
JOB = JobId("7")
OF_USER = (
    events.Start(), events.Restart(), events.Interrupt(), events.Signal(15), events.Shutdown(restart=False),
    events.Shutdown(restart=True), events.Kill(9), events.Cancel(), events.Stop(), events.Detach(),
    events.TakenOver("n2"),
)  # fmt: skip
STALE = events.TimeUp(Deadline(99, At.PARTING, 0, 1.0))
FEW_SEEKS = 2


def of_job(n):
    """Every event about a job, in each shape that makes a difference."""
    pending, running, ended = (JobStatus(JOB, s) for s in (JobState.PENDING, JobState.RUNNING, JobState.ENDED))
    yield from (events.FetchStep(n, "unpacking"), events.Fetched(n), events.FetchFailed(n, REFUSED))
    yield from (events.Submitted(n, JOB), events.Refused(n, REFUSED), events.OutcomeUnknown(n))
    yield from (events.Found(n, JOB), events.NotFound(n), events.NoAnswer(n))
    yield from (events.Pending(n, pending), events.Running(n, running), events.Requeued(n, pending))
    yield from (events.Ended(n, ended), events.Ended(n, replace(ended, ending=Ending.LOST)))
    yield from (events.CancelDone(n), events.CancelFailed(n))
    yield from (events.Hello(n), events.Hello(n, run="a", start=1), events.Hello(n, run="b", start=1))
    yield from (events.Hello(n, run="a", start=1, ready=True), events.Hello(n, run="a", start=2, ready=True))
    yield from (events.ImageReady(n), events.Failed(n, "no"), events.Bye(n, "signal 15"))
    yield from (events.Silent(n), events.Heard(n), events.Heard(n, 1))
    for start in (1, 2):
        yield from (events.Ready(n, start), events.Exited(n, start, 3), events.Exited(n, start, -9, ready=False))


def every_event(life):
    """Every event that may come in a state: about its jobs, and the others."""
    yield from OF_USER
    yield STALE
    yield from (events.TimeUp(each) for each in sorted(deadlines(life), key=str))
    for job in (*life.leaving, *([life.job] if life.job else ())):
        yield from of_job(job.number)


def _key(life):
    """Equal for states that differ in what decides nothing: numbers, and another job's end beside a kernel's life."""

    def of(job):
        if job is None:
            return None
        asked = job.at in (At.WAITING, At.UNSETTLED, At.CANCELLING)
        missing = job.missing if asked and job.line is Line.NONE else 0
        run, start, asking = job.run and "a", min(job.start, 2), asked and job.asking
        return replace(
            job, number=0, start=start, run=run, tries=0, missing=missing, asking=asking, cause=None, id=None
        )

    leaving = tuple(of(job) for job in life.leaving)
    if life.job is not None:
        leaving = bool(leaving) and life.job.at is At.PREPARING
    if life.mode is Mode.DETACHED:
        leaving = ()
    inert = life.mode is Mode.DETACHED
    wish = Wish.NONE if inert else life.wish
    code = None if inert or wish is not Wish.NONE else life.exit_code and 1
    return replace(life, job=of(life.job), leaving=leaving, wish=wish, exit_code=code, jobs=min(life.jobs, 1))


@functools.cache
def explore():
    """Return ``(life, event, after, effects)`` of every event in every reachable state.

    States with more than one job that is to be ended are reached and not followed further: each of those goes its own
    way, which one shows. It is believed after two questions instead of seven that a job is not there.
    """
    before = following.SEEKS, leaving.SEEKS
    following.SEEKS = leaving.SEEKS = FEW_SEEKS
    try:
        return tuple(_explored())
    finally:
        following.SEEKS, leaving.SEEKS = before


def _explored():
    seen, todo = {_key(Life())}, deque([Life()])
    while todo:
        life = todo.popleft()
        steps = [(life, event) for event in every_event(life)]
        for state, event in [*steps, (Life(), events.Adopt(kept(life)))]:
            after, done = advance(state, event)
            yield state, event, after, done
            if len(after.leaving) < 2 and _key(after) not in seen:
                seen.add(_key(after))
                todo.append(after)


QUIET = (
    effects.Remember, effects.SetExit, effects.StartDeadline, effects.StopDeadline, effects.Mark, effects.Say,
    effects.Facts,
)  # fmt: skip


def page():
    """Return docs/life.md: for each stage, what each event makes of it."""
    cells = defaultdict(lambda: defaultdict(lambda: (set(), set())))
    for life, event, after, done in explore():
        own = life.job.number if life.job else None
        if getattr(event, "job", own) != own or isinstance(event, events.Adopt):
            continue
        stages, acts = cells[life.stage][_name(event)]
        stages.add(after.stage)
        acts.update(_named(effect) for effect in done if not isinstance(effect, QUIET))
    lines = [HEAD]
    for stage in Stage:
        lines += [f"## {stage.value}", "", "| event | becomes | and |", "|---|---|---|"]
        for name, (stages, acts) in sorted(cells[stage].items()):
            if stages == {stage} and not acts:
                continue
            becomes = ", ".join(each.value for each in Stage if each in stages)
            lines.append(f"| {name} | {becomes} | {', '.join(sorted(acts))} |")
        lines.append("")
    return "\n".join(lines)


def _name(event):
    if isinstance(event, events.TimeUp):
        return f"TimeUp ({event.deadline.at.value})" if event.deadline.job != 99 else "TimeUp (late)"
    return type(event).__name__


def _named(effect):
    name = type(effect).__name__
    return f"{name} ({effect.command})" if isinstance(effect, effects.TellAgent) else name


HEAD = """# A launch's life

Made from `jupyter_hpcctr/core/life` by `python tests/support/life.py`; a test sees that it is true.

For each stage: the events that change something, the stages that may follow (which one depends on what is known of the
job), and what may be done. What is only shown or remembered is left out. An event that is not listed changes nothing;
one about another job than the kernel's changes nothing here but that job's own end.
"""


if __name__ == "__main__":
    (Path(__file__).parents[2] / "docs" / "life.md").write_text(page(), encoding="utf-8")
