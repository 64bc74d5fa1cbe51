"""Jobs on this machine, without any queue: the words of ``jupyter_hpcctr.downscale.localjobs``."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping, Sequence

from ..core.facts import Partition, Site
from ..core.job import Command, Ending, Estimate, JobId, JobState, JobStatus, Output
from ..core.plan import JobSpec
from ..core.quote import line
from ..core.ranks import Steps
from ..core.request import Resources
from ..errors import RequestError, SchedulerUnreachable, SubmitRefused

_PROGRAM = "jupyter_hpcctr.downscale.localjobs"
_REFUSED = 2


class Local:
    """Starts jobs as process groups with limits; accounts, qualities of service and features mean nothing here."""

    name = "local"
    keep_env = ("HPCCTR_LOCAL_JOBS", "XDG_STATE_HOME")

    def submit(self, spec: JobSpec) -> Command:
        """Return the words that start a job; what it is goes to standard input as JSON.

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
        return Command((sys.executable, "-m", _PROGRAM, "submit"), stdin=json.dumps(plain))

    def submitted(self, output: Output) -> JobId:
        """Read the new job's id."""
        if output.returncode == _REFUSED:
            said = json.loads(output.stdout)
            raise SubmitRefused(str(said["refused"]), hint=str(said["hint"]))
        return JobId(str(json.loads(_answer(output))["id"]))

    def find(self, tokens: Collection[str]) -> Command:
        """Return one command for all tokens."""
        return _words("find", *tokens)

    def found(self, output: Output) -> Mapping[str, JobId]:
        """Read a JSON line for each job that is known."""
        found = (json.loads(line) for line in _answer(output).splitlines())
        return {each["token"]: JobId(each["id"]) for each in found}

    def steps(self) -> Steps | None:
        """Return None: a job is one machine's, and mpiexec(1) starts ranks on it."""
        return None

    def query(self, jobs: Collection[JobId]) -> Command:
        """Return one command for all jobs."""
        return _words("query", *jobs)

    def statuses(self, output: Output) -> Mapping[JobId, JobStatus]:
        """Read a JSON line for each job that is known."""
        found = (_status(line) for line in _answer(output).splitlines())
        return {status.job_id: status for status in found}

    def settle(self, job: JobId) -> Command:
        """Return the question for one job: its record says how it ended."""
        return _words("query", job)

    def recall(self, job: JobId) -> Command | None:
        """Return None: nothing else remembers a job."""
        return None

    def settled(self, output: Output, job: JobId) -> JobStatus:
        """Read how it ended; records are kept for a day."""
        return self.statuses(output).get(job, JobStatus(job, JobState.UNKNOWN))

    def last_words(self, status: JobStatus, log: str) -> JobStatus:
        """Return the status as it is: nothing is written to a job's log."""
        return status

    def signal(self, job: JobId, signum: int) -> Command:
        """Return the words that signal the job's first process."""
        return _words("signal", job, str(signum))

    def cancel(self, jobs: Collection[JobId]) -> Command:
        """Return the words that end jobs with all of their processes."""
        return _words("cancel", *jobs)

    def estimate(self, spec: JobSpec) -> Command | None:
        """Return None: a job starts at once."""
        return None

    def estimated(self, output: Output) -> Estimate:
        """Say nothing of the start; there is no question to which this would be the answer."""
        return Estimate(None)

    def site(self, *, user: str = "") -> tuple[Command, ...]:
        """Return the words that ask what this machine has."""
        return (_words("site"),)

    def read_site(self, outputs: Sequence[Output]) -> Site:
        """Describe this machine as a partition of one node."""
        has = json.loads(_answer(outputs[0]))
        partition = Partition(
            name="local",
            is_default=True,
            nodes_total=1,
            nodes_idle=1,
            cpus_per_node=int(has["cpus"]),
            mem_mb_per_node=int(has["memory_mb"]),
            gres=(f"gpu:{has['gpus']}",) if has["gpus"] else (),
        )
        return Site(scheduler=self.name, partitions=(partition,))


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
