"""What people are told about a job: one sentence for each state and each ending."""

from __future__ import annotations

import signal

from .job import Ending, JobId, JobState, JobStatus
from .life.words import Failure, Words
from .wording import minutes_text

RESTART = "Kernel → Restart submits a new job; nothing is resubmitted automatically."


def waiting(scheduler: str, status: JobStatus) -> str:
    """Say why a kernel is not there yet."""
    job = _job(scheduler, status)
    if status.state is JobState.RUNNING:
        return f"{job} runs on {status.nodes or 'its node'}; the kernel is starting …"
    why = ": ".join(filter(None, (status.reason, status.meaning)))
    reason = f" ({why})" if why else ""
    start = f", expected start {status.expected_start.replace('T', ' ')[:16]}" if status.expected_start else ""
    return f"{job} is pending{reason}{start}. Cells run when the kernel is there."


def running(scheduler: str, job: str, nodes: str) -> str:
    """Say that the kernel is there."""
    return f"{scheduler.capitalize()} job {job} runs on {nodes or 'its node'}."


def cancelled(scheduler: str, job: str | None) -> str:
    """Say that the user has ended the job, or what would have become one."""
    what = f"{scheduler.capitalize()} job {job}" if job else "The start of the kernel"
    return f"{what} was cancelled by you. {RESTART}"


def ended(scheduler: str, status: JobStatus, *, time_limit_minutes: int | None, cause: str = "") -> str:
    """Say how a job ended, in the user's words, and what can be done.

    ``cause`` is what the agent said last, "" where it said nothing.
    """
    job = _job(scheduler, status)
    limit = "" if time_limit_minutes is None else f" of {minutes_text(time_limit_minutes)}"
    said = {
        Ending.TIMEOUT: f"{job} reached its time limit{limit}.",
        Ending.CANCELLED: f"{job} was cancelled from outside of this notebook.",
        Ending.OUT_OF_MEMORY: f"{job} needed more memory than it had asked for.",
        Ending.NODE_FAIL: f"{job} ended because its node{' ' + status.nodes if status.nodes else ''} failed.",
        Ending.PREEMPTED: f"{job} was preempted by a job with a higher priority.",
        Ending.LOST: f"{job} is gone and its scheduler no longer knows it.",
    }
    text = said.get(status.ending) if status.ending is not None else None
    if text is None:
        how = f" with status {status.exit_code}" if status.exit_code else ""
        how = f" by {signal_name(status.signal)}" if status.signal else how
        text = f"{job} ended{how}: {cause}." if cause else f"{job} ended{how}."
    elif cause and status.ending is Ending.LOST:
        text = f"{text} Its last word was: {cause}."
    return f"{text} {RESTART}"


def died(code: int) -> str:
    """Say that the kernel's process ended while its job goes on; ``code`` is minus the signal that ended it."""
    how = f"was ended by {signal_name(-code)}" if code < 0 else f"exited with status {code}"
    hint = " Often that is the memory limit." if code == -signal.SIGKILL else ""
    return f"the kernel's process {how}; its variables are lost, its job is still there.{hint}"


def signal_name(number: int) -> str:
    """Return ``SIGKILL`` for 9, ``signal 40`` for what has no name (signal(7), "Real-time signals")."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _job(scheduler: str, status: JobStatus) -> str:
    return f"{scheduler.capitalize()} job {status.job_id}"


_PLAIN = {
    "clearing": "The last job is still to be ended; then another one is submitted …",
    "detached": "The server stops; the kernel is kept for the next one.",
    "interrupted": "interrupted while waiting for the kernel",
    "not submitted": f"The scheduler did not answer, and has no job for this kernel. {RESTART}",
    "restarted": "the kernel was restarted",
    "restarting": "The kernel is restarting in the same job …",
    "silent": "The kernel's node has not been heard for a while; what it sends meanwhile is kept and will follow.",
    "stopped": "the kernel was shut down",
    "submitting": "The job is being submitted …",
    "unknown outcome": "The scheduler did not answer in time; it is being asked whether it has the job …",
}


def told(
    what: Words, *, scheduler: str, nodes: str = "", image: str = "", time_limit_minutes: int | None = None
) -> str:
    """Return the sentence for what a launch's life has to say (``core.life``)."""
    values = dict(what.values)
    status, failure = values.get("status"), values.get("failure")
    job = str(values.get("job") or "")
    name = f"{scheduler.capitalize()} job {job}" if job else "The job"
    if isinstance(status, JobStatus):
        if what.key == "ended":
            if what.cause is not None and what.cause.key == "not begun":
                return _not_begun(_job(scheduler, status), status.nodes)
            cause = "" if what.cause is None else told(what.cause, scheduler=scheduler)
            return ended(scheduler, status, time_limit_minutes=time_limit_minutes, cause=cause)
        return _requeued(_job(scheduler, status)) if what.key == "requeued" else waiting(scheduler, status)
    if isinstance(failure, Failure):
        hint = f" ({failure.hint})" if failure.hint else ""
        return f"{failure.message}{hint} {RESTART}"
    code = values.get("code")
    sentences = {
        "adopted": f"{name} is still in the queue. Cells run when the kernel is there.",
        "cancelled": cancelled(scheduler, JobId(job) if job else None),
        "died": died(code) if isinstance(code, int) else "",
        "early exit": f"the kernel ended with status {code} before it was ready",
        "fetching": f"Fetching the image {image}: {values.get('step')} …".replace(" :", ":"),
        "node up": f"The job runs on {values.get('node') or 'its node'}; the kernel is starting …",
        "quoted": str(values.get("text")),
        "reattaching": f"{name} has the kernel of before; waiting to hear from its node …",
        "requeued": _requeued(name),
        "running": running(scheduler, job, nodes) if job else f"{name} runs on {nodes or 'its node'}.",
        "submitted": f"{name} is submitted.",
        "taken over": f"The kernel was taken over by {values.get('by')}; it goes on there.",
    }
    return sentences.get(what.key) or _PLAIN[what.key]


def _requeued(name: str) -> str:
    return f"{name} was put back into the queue by the scheduler: variables are lost. Cells run when it starts again."


def _not_begun(name: str, nodes: str) -> str:
    # Slurm cancels a job whose prolog fails, and drains the node (slurm.conf(5), Prolog).
    why = "it was cancelled, or the scheduler could not prepare the node (its prolog failed)"
    return f"{name} ended before anything of it ran on {nodes}: {why}. {RESTART}"
