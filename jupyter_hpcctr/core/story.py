"""What people are told about a job: one sentence for each state and each ending."""

from __future__ import annotations

import signal

from .job import Ending, JobState, JobStatus
from .wording import minutes_text

RESTART = "Kernel → Restart submits a new job; nothing is resubmitted automatically."

# squeue(1), "JOB REASON CODES": those that people meet, in their words.
_REASONS = {
    "Priority": "jobs with a higher priority are ahead",
    "Resources": "waiting for free resources",
    "QOSMaxJobsPerUserLimit": "your limit of running jobs is reached",
    "AssocGrpCpuLimit": "your group's limit of CPUs is reached",
    "PartitionTimeLimit": "the time asked for is above the partition's limit",
    "PartitionNodeLimit": "more nodes are asked for than the partition has",
    "PartitionConfig": "the partition cannot give what is asked for",
    "ReqNodeNotAvail": "a node that is needed is down or reserved",
    "BadConstraints": "no node can ever satisfy what is asked for",
    "JobHeldUser": "the job is held by you (scontrol release)",
    "JobHeldAdmin": "the job is held by an administrator",
    "Dependency": "waiting for another job",
    "BeginTime": "its begin time is not reached",
}


def waiting(scheduler: str, status: JobStatus) -> str:
    """Say why a kernel is not there yet."""
    job = _job(scheduler, status)
    if status.state is JobState.RUNNING:
        return f"{job} runs on {status.nodes or 'its node'}; the kernel is starting …"
    meaning = _REASONS.get(status.reason.split(",")[0])
    reason = f" ({status.reason}{': ' + meaning if meaning else ''})" if status.reason not in ("", "None") else ""
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
