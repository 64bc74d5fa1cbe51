"""``%%mpirun`` in real kernels on real Slurm nodes, with real ranks of Open MPI and MPICH."""

import re

import pytest
from support.notebooks import Notebook

COMM = "from mpi4py import MPI\ncomm = MPI.COMM_WORLD\n"


@pytest.fixture
def contained(site, start, mpi_image, image_policy):
    """A kernel in the image with Open MPI."""
    site.configure(store=image_policy.store)
    return Notebook(start(image=mpi_image.reference, scheduler="slurm", nodes=2, ntasks_per_node=2))


def test_a_cell_runs_on_all_ranks_of_both_nodes_in_the_image_and_keeps_its_variables(contained):
    where = "import os, platform\nprint(comm.rank, comm.size, os.environ['SLURMD_NODENAME'], os.getuid())\n"
    shown = contained.ranks(COMM + where + "print(platform.freedesktop_os_release()['ID'])")
    said = sorted(re.findall(r"│ (\d) 4 (n\d) \d+", shown))
    assert [rank for rank, _ in said] == ["0", "1", "2", "3"]
    assert len({node for _, node in said}) == 2
    assert "ranks 0–3 │ debian" in shown
    total = contained.ranks("total = comm.allreduce(comm.rank)\ntotal")
    assert total.strip() == "ranks 0–3 │ 6"
    assert "│ 6" in contained.ranks("print(total)")
    status = contained.cell("%mpirun status")
    assert "Open MPI 4.1.4 by srun --mpi=pmix" in status, status
