"""A real Slurm for the tests: one cluster of two nodes for the whole run, made by the product itself."""

import contextlib
import json
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from jupyter_hpcctr.core.job import Command
from jupyter_hpcctr.downscale.cluster import Cluster
from jupyter_hpcctr.edge import process
from jupyter_hpcctr.schedulers.local import Local
from jupyter_hpcctr.schedulers.slurm import Slurm
from jupyter_hpcctr.testing import Jobs, jobs_of

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
class SlurmJobs(Jobs):
    """Jobs of a cluster of ours."""

    cluster: Cluster | None = None

    def hasten(self, job):
        """Move a running job's end to now; slurmctld looks for such jobs every 30 s at the latest."""
        now = time.strftime("%Y-%m-%dT%H:%M:%S")
        process.check(
            Command(("scontrol", "update", f"JobId={job}", f"EndTime={now}")), env=base_environment() | self.env
        )


class LocalJobs(Jobs):
    """Jobs of the local scheduler."""

    def hastened(self, question):
        return Command(question.argv, json.dumps(json.loads(question.stdin) | {"time_limit_s": 1}))


def slurm_jobs_of(cluster):
    """Jobs of a cluster of ours; those that are left are cancelled."""
    return jobs_of(SlurmJobs(Slurm(), dict(cluster.env), cluster=cluster))


@pytest.fixture
def slurm_jobs(slurm):
    """Jobs on the tests' cluster."""
    with slurm_jobs_of(slurm) as jobs:
        yield jobs


@pytest.fixture
def local_jobs(tmp_path):
    """Jobs of the local scheduler, with records of their own."""
    with jobs_of(LocalJobs(Local(), {"HPCCTR_LOCAL_JOBS": str(tmp_path / "records")})) as jobs:
        yield jobs
