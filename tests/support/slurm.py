"""A real Slurm for the tests: one cluster of two nodes for the whole run, made by the product itself."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from jupyter_hpcctr.downscale.cluster import Cluster

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
