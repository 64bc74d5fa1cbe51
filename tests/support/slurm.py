"""A real Slurm for the tests: one cluster of two nodes for the whole run, made by the product itself."""

import contextlib
import json
import os
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jupyter_hpcctr.core.job import Command, JobState, JobStatus
from jupyter_hpcctr.core.plan import JobSpec
from jupyter_hpcctr.core.request import Resources
from jupyter_hpcctr.core.seams import Scheduler
from jupyter_hpcctr.downscale.cluster import Cluster
from jupyter_hpcctr.edge import process
from jupyter_hpcctr.schedulers.local import Local
from jupyter_hpcctr.schedulers.slurm import Slurm

BASE_ENV = ("PATH", "HOME", "USER", "LANG", "TMPDIR")


def base_environment():
    """What a command of a scheduler gets besides the scheduler's own variables."""
    return {name: os.environ[name] for name in BASE_ENV if name in os.environ}


@contextlib.contextmanager
def short_directory():
    """Yield a private directory with a short name: sockets below it may have 107 bytes (unix(7))."""
    directory = tempfile.mkdtemp(prefix="hx", dir="/tmp")
    try:
        yield Path(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def slurm():
    """Two nodes with four CPUs and two declared GPUs each; fails, and says why, where it cannot be had."""
    with short_directory() as directory:
        cluster = Cluster.up(directory / "c", nodes=2, cpus=4, gpus=2, memory_mb=4000)
        try:
            yield cluster
        finally:
            cluster.down()


@pytest.fixture
def slurm_env(slurm, monkeypatch):
    """The environment in which commands find the cluster, also set in this process."""
    monkeypatch.setenv("SLURM_CONF", str(slurm.conf))
    return base_environment() | slurm.env


@dataclass
class Jobs:
    """A scheduler and what its commands need, for tests that run real jobs."""

    scheduler: Scheduler
    env: dict
    cluster: Cluster | None
    started: list = field(default_factory=list)

    def run(self, command, **more):
        return process.run(command, env=self.env | more)

    def submit(self, argv, directory, *, name="a test", token="", hasten=False, log_file=None, **resources):
        """Submit a real job; ``hasten`` brings the end of a time limit of one minute near."""
        log_file = log_file or f"{directory}/job.log"
        spec = JobSpec(name, tuple(argv), Resources(**resources), str(directory), log_file, token)
        command = self.scheduler.submit(spec)
        if hasten and self.cluster is None:
            command = Command(command.argv, json.dumps(json.loads(command.stdin) | {"time_limit_s": 1}))
        job = self.scheduler.submitted(self.run(command))
        self.started.append(job)
        return job

    def hasten(self, job):
        """Move a running Slurm job's end to now; slurmctld looks for such jobs every 30 s at the latest."""
        if self.cluster is not None:
            now = time.strftime("%Y-%m-%dT%H:%M:%S")
            process.check(Command(("scontrol", "update", f"JobId={job}", f"EndTime={now}")), env=self.env)

    def status(self, job):
        found = self.scheduler.statuses(self.run(self.scheduler.query([job])))
        return found.get(job, JobStatus(job, JobState.UNKNOWN))

    def settled(self, job):
        return self.scheduler.settled(self.run(self.scheduler.settle(job)), job)

    def wait(self, job, state, *, timeout_s=60.0):
        """Return the first status at or past a state."""
        return self.until(job, lambda status: status.state >= state, timeout_s=timeout_s)

    def until(self, job, wanted, *, timeout_s=60.0):
        deadline = time.monotonic() + timeout_s
        while not wanted(status := self.status(job)):
            if time.monotonic() > deadline:
                raise AssertionError(f"still {status}")
            time.sleep(0.1)
        return status

    def ended(self, job):
        """Wait for a job's end and return what is known of it."""
        self.wait(job, JobState.ENDED)
        return self.settled(job)


@contextlib.contextmanager
def jobs_of(scheduler, env, cluster=None):
    """Yield a ``Jobs``, and cancel what is left of them."""
    jobs = Jobs(scheduler, env, cluster)
    try:
        yield jobs
    finally:
        if jobs.started:
            jobs.run(scheduler.cancel(jobs.started))


@pytest.fixture
def slurm_jobs(slurm):
    """Jobs on the tests' cluster."""
    with jobs_of(Slurm(), base_environment() | slurm.env, slurm) as jobs:
        yield jobs


@pytest.fixture
def local_jobs(tmp_path):
    """Jobs of the local scheduler, with records of their own."""
    with jobs_of(Local(), base_environment() | {"HPCCTR_LOCAL_JOBS": str(tmp_path / "records")}) as jobs:
        yield jobs


@pytest.fixture(params=["slurm", "local"])
def jobs(request):
    """Jobs of each scheduler in turn."""
    return request.getfixturevalue(f"{request.param}_jobs")
