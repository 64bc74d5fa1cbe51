"""A node that is lost under running ranks, in a Slurm of the test's own."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from support.kernels import Running, site_of
from support.notebooks import Notebook, mpi_environment
from support.slurm import base_environment, short_directory

from jupyter_hpcctr.downscale.cluster import Cluster

SETUP = "from mpi4py import MPI\nimport time\ncomm = MPI.COMM_WORLD\n"


@pytest.fixture
def cluster():
    """Two nodes of which one may be lost."""
    with short_directory() as directory:
        cluster = Cluster.up(directory / "c", nodes=2, cpus=4, memory_mb=4000)
        try:
            yield cluster
        finally:
            cluster.down()


@pytest.fixture(params=["openmpi", "mpich"])
def notebook(request, cluster, tmp_path):
    """A kernel with both nodes and two ranks on each."""
    with site_of(base_environment() | cluster.env) as site:
        wanted = {"engine": "bare", "scheduler": "slurm", "nodes": 2, "ntasks_per_node": 2}
        running = Running(site.manager(**wanted, env=mpi_environment(request.param, tmp_path)), cwd=site.cwd)
        yield Notebook(running)
        running.stop()
        tidy_lost_node(site)


def test_a_lost_node_costs_its_ranks_and_not_the_notebook(notebook, cluster):
    own = notebook.cell("precious = 42\nimport os; print(os.environ['SLURMD_NODENAME'])").strip()
    assert notebook.said(SETUP + "print(comm.size)") == {rank: ["4"] for rank in range(4)}
    client = notebook.running.client
    asked = client.execute("%%mpirun\ntime.sleep(1)\ncomm.Barrier()\ntime.sleep(100)", stop_on_error=False)
    kill_node(cluster, {"n1": "n2", "n2": "n1"}[own])
    while (reply := client.get_shell_msg(timeout=60))["parent_header"].get("msg_id") != asked:
        pass
    assert reply["content"]["status"] == "error"
    assert notebook.said(SETUP + "print(comm.size)") == {0: ["2"], 1: ["2"]}
    assert notebook.cell("print(precious)") == "42\n"


def tidy_lost_node(site):
    """Do what is done after a power cut: tell Slurm that the node is down, and empty its disk and memory."""
    subprocess.run(["scontrol", "update", "nodename=n1,n2", "state=down", "reason=test"], check=True)
    for path in site.directory.glob("tmp/hpcctr-*.n?"):
        shutil.rmtree(path)
        for shared in Path("/dev/shm").glob(f"mpi-{path.name}-*"):
            shutil.rmtree(shared)


def kill_node(cluster, name):
    """End all that a node runs, at once, as a power cut does."""
    conf = f"SLURM_CONF={cluster.conf}".encode()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            variables = (path / "environ").read_bytes().split(b"\0")
            words = (path / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        daemon = words[0].endswith(b"slurmd") and name.encode() in words and str(cluster.conf).encode() in words
        if daemon or (conf in variables and f"SLURMD_NODENAME={name}".encode() in variables):
            for pid in (int(path.name), *([] if daemon else stepd_of(path))):
                os.kill(pid, signal.SIGKILL)


def stepd_of(process):
    """The slurmstepd that is a process's parent, as a list of one id, or none."""
    try:
        parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        return [parent] if Path(f"/proc/{parent}/comm").read_text().startswith("slurmstepd") else []
    except OSError:
        return []
