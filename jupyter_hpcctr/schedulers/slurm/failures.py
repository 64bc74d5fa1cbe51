"""What Slurm's commands say where they fail: that the controller is away, or no, and why."""

from __future__ import annotations

import re

from ...core.job import Output
from ...errors import SchedulerAway, SchedulerError, SchedulerUnreachable, SubmitRefused

# What Slurm's commands say when the controller, not the request, is the trouble (slurm_errno.c)
_UNREACHABLE = re.compile(
    r"unable to contact slurm controller|controller is not|standby mode|timed out|connection refused|connect failure"
    r"|communication|zero bytes were transmitted|unexpected message|authentication|munge|configuration source"
    r"|temporarily unable|temporarily unavailable|could not establish|unable to (?:resolve|connect)"
    r"|error parsing|unable to process configuration|host is down|no route to host",
    re.IGNORECASE,
)
# No connection was made; "receive failure" and time-outs come after the controller may have heard.
_AWAY = re.compile(r"connect failure|connection refused|host is down|no route to host|unable to resolve", re.IGNORECASE)
_NOISE = re.compile(
    r"^(?:(?:sbatch|squeue|scontrol|sinfo|sacct|scancel)?:?\s*(?:error|fatal):\s*)?"
    r"(?:Batch job submission failed: |allocation failure: )?",
    re.IGNORECASE,
)
NO_SUCH_JOB = "invalid job id"
_REQUEST = "ask for fewer CPUs, less memory or fewer GPUs per node, as sinfo -N -l shows"
# A word of what Slurm says, the request's field that it is about, and what to do.
_HINTS: tuple[tuple[str, str, str], ...] = (
    ("partition", "partition", "choose one of the partitions that sinfo lists, and stay within its limits"),
    ("account", "account", "choose an account that you may use: sacctmgr show associations user=$USER"),
    ("qos", "qos", "choose a quality of service that you may use: sacctmgr show associations user=$USER"),
    ("reservation", "reservation", "choose a reservation that you may use: scontrol show reservation"),
    ("feature", "constraint", "choose features that nodes have: scontrol show node"),
    ("time limit", "time", "ask for less time"),
    ("node count", "nodes", "ask for fewer nodes"),
    ("generic resource", "gpus_per_node", "choose GPUs that nodes have: sinfo -o '%N %G'"),
    ("configuration is not available", "", _REQUEST),
    ("memory", "mem", "ask for less memory per node"),
    ("submit limit", "", "wait until some of your jobs have ended"),
)


def refusal(output: Output) -> SubmitRefused | SchedulerUnreachable:
    """Return what a submission that failed comes to: a no with a hint, or no answer."""
    said = _message(output)
    if _UNREACHABLE.search(said):
        return unreachable(output)
    low = said.lower()
    anything = ("", "", "change the request, or ask your site what this means")
    _, field, hint = next((each for each in _HINTS if each[0] in low), anything)
    return SubmitRefused(f"Slurm refused the job: {said}", hint=hint, field=field)


def unreachable(output: Output) -> SchedulerUnreachable:
    """Return a command's failure as no answer; ``SchedulerAway`` where there was certainly no connection."""
    said = _message(output)
    kind = SchedulerAway if _AWAY.search(said) and "timed out" not in said.lower() else SchedulerUnreachable
    return kind(
        f"Slurm does not answer: {said}", hint="nothing was concluded from that; try again in a minute"
    )


def done(output: Output) -> None:
    """Read what scancel says, which is nothing where it did what it was told.

    Raises
    ------
    SchedulerUnreachable, SchedulerError
        Slurm said nothing; it did not do that.
    """
    if output.returncode == 0:
        return
    said = _message(output)
    if _UNREACHABLE.search(said):
        raise unreachable(output)
    raise SchedulerError(f"Slurm did not do that: {said}", hint="look with squeue whose job it is, and where it stands")


def _message(output: Output) -> str:
    lines = (output.stderr.strip() or output.stdout.strip()).splitlines()
    said = [_NOISE.sub("", line) for line in lines]
    return "; ".join(dict.fromkeys(line.strip() for line in said if line.strip())) or f"exit status {output.returncode}"
