"""Reads what Slurm's commands print, on releases 22.05 to 26.05; states as in squeue(1), "JOB STATE CODES"."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...core.facts import Site
from ...core.job import Ending, Estimate, JobId, JobState, JobStatus, Output
from ...core.questions import NoAnswer
from ...errors import SchedulerUnreachable
from . import site as site_
from .failures import NO_SUCH_JOB, refusal, unreachable

_Said = Output | NoAnswer
MARK = "hpcctr:"
"""What comes before the token in a job's comment."""

_END_STATES: Mapping[str, Ending] = {
    "COMPLETED": Ending.COMPLETED,
    "FAILED": Ending.FAILED,
    "LAUNCH_FAILED": Ending.FAILED,
    "RECONFIG_FAIL": Ending.FAILED,
    "CANCELLED": Ending.CANCELLED,
    "TIMEOUT": Ending.TIMEOUT,
    "DEADLINE": Ending.TIMEOUT,
    "OUT_OF_MEMORY": Ending.OUT_OF_MEMORY,
    "NODE_FAIL": Ending.NODE_FAIL,
    "BOOT_FAIL": Ending.NODE_FAIL,
    "PREEMPTED": Ending.PREEMPTED,
    "REVOKED": Ending.LOST,  # another cluster of the federation runs it
}
# A job whose nodes still boot (CONFIGURING) runs nothing yet; one that is COMPLETING still has processes.
_LIVE_STATES: Mapping[str, JobState] = {
    "PENDING": JobState.PENDING,
    "CONFIGURING": JobState.PENDING,
    "POWER_UP_NODE": JobState.PENDING,
    "REQUEUED": JobState.PENDING,
    "REQUEUE_FED": JobState.PENDING,
    "REQUEUE_HOLD": JobState.PENDING,
    "RESV_DEL_HOLD": JobState.PENDING,
    "SPECIAL_EXIT": JobState.PENDING,
    "EXPEDITING": JobState.PENDING,
    "RUNNING": JobState.RUNNING,
    "COMPLETING": JobState.RUNNING,
    "RESIZING": JobState.RUNNING,
    "SIGNALING": JobState.RUNNING,
    "STAGE_OUT": JobState.RUNNING,
    "STOPPED": JobState.RUNNING,
    "SUSPENDED": JobState.RUNNING,
    "UPDATE_DB": JobState.RUNNING,
}
_REQUEUED = frozenset({"REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT"})
# squeue(1), "JOB REASON CODES": those that people meet, in their words.
_MEANINGS = {
    "Priority": "jobs with a higher priority are ahead",
    "Resources": "waiting for free resources",
    "QOSMaxJobsPerUserLimit": "your limit of running jobs is reached",
    "AssocGrpCpuLimit": "your group's limit of CPUs is reached",
    "PartitionTimeLimit": "the time asked for is above the partition's limit",
    "PartitionNodeLimit": "more nodes are asked for than the partition has",
    "PartitionConfig": "the partition cannot give what is asked for",
    "ReqNodeNotAvail": "a node that is needed is down or reserved",
    # What it says in place of that one or of "Resources", up to its first comma, where nodes are drained.
    "Nodes required for job are DOWN": "a node that is needed is down or reserved",
    "BadConstraints": "no node can ever satisfy what is asked for",
    "JobHeldUser": "the job is held by you (scontrol release)",
    "JobHeldAdmin": "the job is held by an administrator",
    "Dependency": "waiting for another job",
    "BeginTime": "its begin time is not reached",
}
_NOTHING = frozenset({"", "None", "N/A", "NONE", "(null)", "Unknown", "None assigned"})

# slurmstepd, to the job's log: of jobacct_gather (OverMemoryKill), and of task/cgroup
_OUT_OF_MEMORY = re.compile(
    r"^slurmstepd\S*: error: .*(?:exceeded (?:job )?memory limit|oom[-_]kill event|out-of-memory handler)",
    re.IGNORECASE | re.MULTILINE,
)

# sbatch --test-only; releases before 21.08 left out the word "nodes"
_ESTIMATE = re.compile(r" to start at (?P<start>\S+) using \S+ processors on (?:nodes )?(?P<nodes>\S+)")


def job_id(output: Output) -> JobId:
    """Read ``sbatch --parsable``: an id, and after a semicolon a cluster's name in a federation.

    Raises
    ------
    SubmitRefused, SchedulerUnreachable
        Slurm said no; it said nothing, or yes without an id.
    """
    if output.returncode != 0:
        raise refusal(output)
    lines = output.stdout.split()
    found = re.fullmatch(r"([0-9]+)(?:;.*)?", lines[-1]) if lines else None
    if found is None:
        raise SchedulerUnreachable(
            f"sbatch answered {output.stdout.strip()!r}, which holds no job id",
            hint="look with squeue whether the job is there; a site's wrapper around sbatch may be the cause",
        )
    return JobId(found[1])


def estimate(output: Output) -> Estimate:
    """Read ``sbatch --test-only``, which writes to standard error when a job would start.

    Raises
    ------
    SubmitRefused, SchedulerUnreachable
        Such a job can never start, or Slurm said nothing.
    """
    if output.returncode != 0:
        raise refusal(output)
    found = _ESTIMATE.search(output.stderr)
    return Estimate(None) if found is None else Estimate(_plain(found["start"]) or None, found["nodes"])


def queue(output: Output) -> Mapping[JobId, JobStatus]:
    """Read squeue's rows; it fails with "Invalid job id" where one job is asked for and that one is gone.

    Raises
    ------
    SchedulerUnreachable
        It failed otherwise.
    """
    if output.returncode != 0 and NO_SUCH_JOB not in output.stderr.lower():
        raise unreachable(output)
    rows = (line.split("|", 5) for line in output.stdout.splitlines())
    found = (_queued(row) for row in rows if len(row) == 6)
    return {status.job_id: status for status in found}


def tokens(output: Output) -> Mapping[str, JobId]:
    """Read ids and comments; the comment of a job of ours is ``MARK`` and its token.

    Raises
    ------
    SchedulerUnreachable
        It failed.
    """
    if output.returncode != 0:
        raise unreachable(output)
    rows = re.findall(rf"^([0-9]+)\|{MARK}([\w-]+)$", output.stdout, re.MULTILINE)
    return {token: JobId(job) for job, token in sorted(rows, key=lambda row: int(row[0]))}


def end(output: Output, job: JobId) -> JobStatus:
    """Read scontrol's line or sacct's row of one job; where neither knows it, its state is UNKNOWN.

    Raises
    ------
    SchedulerUnreachable
        The command failed for another reason than an unknown job or a site without accounting.
    """
    if output.returncode != 0:
        said = output.stderr.lower()
        if NO_SUCH_JOB in said or "accounting storage is disabled" in said:
            return JobStatus(job, JobState.UNKNOWN)
        raise unreachable(output)
    if output.stdout.startswith("JobId="):
        return _from_scontrol(output.stdout, job)
    rows = [line.split("|") for line in output.stdout.splitlines()]
    mine = [row for row in rows if len(row) == 5 and row[0] == job]
    return _from_sacct(mine[-1], job) if mine else JobStatus(job, JobState.UNKNOWN)


def last_words(status: JobStatus, log: str) -> JobStatus:
    """Say that a job that failed was out of memory where the end of its log says so."""
    if status.ending is Ending.FAILED and _OUT_OF_MEMORY.search(log):
        return replace(status, ending=Ending.OUT_OF_MEMORY)
    return status


def site(sinfo: _Said, config: _Said, partitions: _Said | None = None, users: _Said | None = None) -> Site:
    """Read what a site says of itself; the last two may have failed, or not have come.

    Raises
    ------
    SchedulerUnreachable
        One of the others failed.
    """
    known = [None if isinstance(each, NoAnswer) else each for each in (partitions, users)]
    return site_.read(_needed(sinfo), _needed(config), *known)


def _needed(said: _Said) -> Output:
    if isinstance(said, NoAnswer):
        raise said.error
    if said.returncode != 0:
        raise unreachable(said)
    return said


def _plain(text: str) -> str:
    return "" if text.strip() in _NOTHING else text.strip()


def _state(word: str) -> tuple[JobState, Ending | None]:
    """Read a state: sacct adds " by UID" to CANCELLED, a "+" where it cuts, and 24.11 joins flags with commas."""
    names = [name for name in re.split(r"[,+ ]", word.upper()) if name in _LIVE_STATES or name in _END_STATES]
    for name in names:
        if name in _LIVE_STATES:
            return _LIVE_STATES[name], None
    return (JobState.ENDED, _END_STATES[names[0]]) if names else (JobState.UNKNOWN, None)


def _queued(row: Sequence[str]) -> JobStatus:
    job, word, start, end, nodes, reason = row
    state, ending = _state(word)
    # A job that was put back into the queue waits for its new begin time first.
    requeued = state is JobState.PENDING and (word in _REQUEUED or reason.startswith("Begin"))
    if state is JobState.PENDING and word != "PENDING" or state is JobState.RUNNING and word != "RUNNING":
        reason = "requeued" if word in _REQUEUED else word.capitalize()
    return JobStatus(
        job_id=JobId(job),
        state=state,
        reason=_plain(reason),
        meaning=_MEANINGS.get(reason.split(",")[0], "") if state is JobState.PENDING else "",
        requeued=requeued,
        nodes=_plain(nodes),
        expected_start=(_plain(start) or None) if state is JobState.PENDING else None,
        end_time=(_plain(end) or None) if state > JobState.PENDING else None,
        ending=ending,
    )


def _from_scontrol(text: str, job: JobId) -> JobStatus:
    # The job's name comes before UserId and its paths after NodeList; both may hold anything.
    found = re.search(
        r" UserId=\S+ .*? JobState=(?P<state>\S+) Reason=(?P<reason>.*?) Dependency=.*? ExitCode=(?P<code>\d+:\d+) "
        r".*? EndTime=(?P<end>\S+) .*? NodeList=(?P<nodes>\S*) ",
        text,
        re.DOTALL,
    )
    if found is None:
        return JobStatus(job, JobState.UNKNOWN)
    return _settled(job, found["state"], found["code"], found["end"], found["nodes"], found["reason"])


def _from_sacct(row: Sequence[str], job: JobId) -> JobStatus:
    _, state, code, end, nodes = row
    return _settled(job, state, code, end, nodes, "")


def _settled(job: JobId, word: str, code: str, end: str, nodes: str, reason: str) -> JobStatus:
    state, ending = _state(word)
    ended = state is JobState.ENDED
    status, _, signum = code.partition(":")
    return JobStatus(
        job_id=job,
        state=state,
        reason=_plain(reason),
        nodes=_plain(nodes),
        end_time=_plain(end) or None,
        ending=ending,
        exit_code=int(status) if ended else None,
        signal=(int(signum or 0) or None) if ended else None,
    )
