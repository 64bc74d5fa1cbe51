"""What ranks on two nodes of one machine are told of it: the hub's address, and that they share CPUs."""

import os
from pathlib import Path

import pytest
from support.notebooks import Notebook, mpi_environment
from support.waiting import listening


@pytest.fixture
def notebook(tmp_path, start):
    env = mpi_environment("openmpi", tmp_path)
    return Notebook(start(engine="bare", scheduler="slurm", nodes=2, ntasks_per_node=2, env=env))


def hubs(run_dir):
    """The processes of the ranks' hub of this kernel."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if "ranks" in words and f"{run_dir}/ranks.json" in words:
            yield int(path.parent.name)


def test_the_hub_listens_on_loopback_alone_and_ranks_know_that_they_share_cpus(notebook):
    code = "import os; print(os.environ['SLURMD_NODENAME'], os.environ.get('OMPI_MCA_mpi_yield_when_idle'))"
    patient = "1" if os.cpu_count() < 4 else "None"
    assert notebook.said(code) == {rank: [f"n{1 + rank // 2} {patient}"] for rank in range(4)}
    (hub,) = hubs(notebook.running.launch.plan.run_dir)
    assert {address for address, _ in listening([hub])} == {"0100007F"}
