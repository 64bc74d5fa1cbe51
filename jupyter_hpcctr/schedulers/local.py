"""Jobs on this machine, without any queue: the words of ``jupyter_hpcctr.downscale.localjobs``."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping

from ..core.facts import Partition, Site
from ..core.job import Command, Ending, JobId, JobState, JobStatus, Output
from ..core.jobspec import JobSpec
from ..core.questions import Asking
from ..core.quote import line
from ..core.request import Resources
from ..core.seams import Scheduler
from ..errors import RequestError, SchedulerUnreachable, SubmitRefused

_PROGRAM = "jupyter_hpcctr.downscale.localjobs"
_REFUSED = 2


class Local(Scheduler):
    """Starts jobs as process groups with limits; accounts, qualities of service and features mean nothing here."""

    name = "local"
    keep_env = ("HPCCTR_LOCAL_JOBS", "XDG_STATE_HOME")

    def submit(self, spec: JobSpec) -> Asking[JobId]:
        """Start a job; what it is goes to standard input as JSON.

        Raises
        ------
        RequestError
            A word or a path holds a NUL, or a path is not absolute.
        """
        line(spec.argv)
        for path in (spec.workdir, spec.log_file):
            if not path.startswith("/") or "\0" in path:
                raise RequestError(f"the path {path!r} is not an absolute one", hint="write it out whole")
        wanted = spec.resources
        plain = {
            "name": spec.name,
            "token": spec.token,
            "argv": spec.argv,
            "workdir": spec.workdir,
            "log_file": spec.log_file,
            "nodes": wanted.nodes,
            "cpus": _cpus(wanted),
            "gpus": wanted.gpus_per_node,
            "mem_mb": wanted.mem_mb,
            "time_limit_s": None if wanted.time_minutes is None else wanted.time_minutes * 60,
            "partition": wanted.partition,
        }
        output: Output = yield Command((sys.executable, "-m", _PROGRAM, "submit"), stdin=json.dumps(plain))
        if output.returncode == _REFUSED:
            said = json.loads(output.stdout)
            raise SubmitRefused(str(said["refused"]), hint=str(said["hint"]))
        return JobId(str(json.loads(_answer(output))["id"]))

    def find(self, tokens: Collection[str]) -> Asking[Mapping[str, JobId]]:
        """Ask for all tokens at once; the answer is a line of JSON for each job that is known."""
        output: Output = yield _words("find", *tokens)
        found = (json.loads(line) for line in _answer(output).splitlines())
        return {each["token"]: JobId(each["id"]) for each in found}

    def query(self, jobs: Collection[JobId]) -> Asking[Mapping[JobId, JobStatus]]:
        """Ask for all jobs at once; the answer is a line of JSON for each job that is known."""
        output: Output = yield _words("query", *jobs)
        found = (_status(line) for line in _answer(output).splitlines())
        return {status.job_id: status for status in found}

    def settle(self, job: JobId) -> Asking[JobStatus]:
        """Read the job's record, which is kept for a day."""
        found = yield from self.query([job])
        return found.get(job, JobStatus(job, JobState.UNKNOWN))

    def signal(self, job: JobId, signum: int) -> Asking[None]:
        """Signal the job's first process."""
        _answer((yield _words("signal", job, str(signum))))

    def cancel(self, jobs: Collection[JobId]) -> Asking[None]:
        """End jobs with all of their processes."""
        _answer((yield _words("cancel", *jobs)))

    def site(self, *, user: str = "") -> Asking[Site]:
        """Describe this machine as a partition of one node."""
        output: Output = yield _words("site")
        has = json.loads(_answer(output))
        partition = Partition(
            name="local",
            is_default=True,
            nodes_total=1,
            nodes_idle=1,
            cpus_per_node=int(has["cpus"]),
            mem_mb_per_node=int(has["memory_mb"]),
            gres=(f"gpu:{has['gpus']}",) if has["gpus"] else (),
            features=(),
        )
        return Site(scheduler=self.name, partitions=(partition,), is_here=True)


def _words(*words: str) -> Command:
    return Command((sys.executable, "-m", _PROGRAM, *words))


def _answer(output: Output) -> str:
    if output.returncode != 0:
        raise SchedulerUnreachable(
            f"the records of local jobs cannot be used: {output.stderr.strip()}",
            hint="look at the directory that HPCCTR_LOCAL_JOBS names, or at ~/.local/state/jupyter_hpcctr/local",
        )
    return output.stdout


def _cpus(wanted: Resources) -> int | None:
    """Return how many CPUs to keep to; None, all of them, where CPUs per task were not asked for."""
    if wanted.cpus_per_task is None:
        return None
    return wanted.cpus_per_task * (wanted.ntasks_per_node or wanted.ntasks or 1)


def _status(line: str) -> JobStatus:
    plain = json.loads(line)
    return JobStatus(
        job_id=JobId(plain["id"]),
        state=JobState[plain["state"]],
        reason=plain["reason"],
        nodes="localhost",
        end_time=plain["end_time"],
        ending=None if plain["ending"] is None else Ending(plain["ending"]),
        exit_code=plain["exit_code"],
        signal=plain["signal"],
    )
