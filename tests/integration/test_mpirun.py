"""``%%mpirun`` in kernels in a real image on real Slurm nodes: what is asked for is what comes."""

import os
import re

import pytest
from support.notebooks import Notebook, by_rank
from support.waiting import state_of, wait_for_no_segments, wait_until

COMM = "from mpi4py import MPI\ncomm = MPI.COMM_WORLD\n"


def each(line, ranks=4):
    """What ``by_rank`` finds when every rank has printed this line alone."""
    return {rank: [line] for rank in range(ranks)}


@pytest.fixture
def notebook(site, start, mpi_image, image_policy):
    """A kernel in the image with Open MPI, with two nodes of two slots each."""
    site.configure(store=image_policy.store)
    return Notebook(start(image=mpi_image.reference, scheduler="slurm", nodes=2, ntasks_per_node=2))


def test_ranks_run_on_both_nodes_in_the_image_and_keep_their_variables(notebook):
    where = "import os, platform\nprint(comm.size, os.environ['SLURMD_NODENAME'], os.getuid())\n"
    said = notebook.said(COMM + where + "print(platform.freedesktop_os_release()['ID'])")
    places = [lines[0].split() for lines in said.values()]
    assert [lines[1:] for lines in said.values()] == [["debian"]] * 4
    assert sorted(node for _, node, _ in places) == ["n1", "n1", "n2", "n2"]
    assert {(size, uid) for size, _, uid in places} == {("4", str(os.getuid()))}
    assert notebook.said("total = comm.allreduce(comm.rank)\ntotal") == each("6")
    assert notebook.said("print(total)", "--rank 1,3") == {1: ["6"], 3: ["6"]}
    status = notebook.cell("%mpirun status")
    assert "Open MPI 4.1.4 by srun --mpi=pmix" in status
    assert re.search(r"checked: .* GB/s in a node, .* GB/s between nodes", status)
    values_move_both_ways(notebook)
    programs_run_beside_the_ranks(notebook)
    what_cannot_be_is_refused(notebook)
    a_kernels_restart_ends_its_ranks(notebook)


def values_move_both_ways(notebook):
    notebook.cell("import numpy as np\nu = np.arange(6e6).reshape(2000, 3000).T\ns = {'a': [1, 'x', None]}")
    notebook.cell("%mpirun push u s")
    notebook.ranks("assert u.flags.f_contiguous and u.shape == (3000, 2000) and s['a'][1] == 'x'\nu *= comm.rank")
    assert notebook.cell("assert u[1, 0] == 1").strip() == ""
    notebook.cell("parts = %mpirun pull u\nassert [p[1, 1] for p in parts] == [3001.0 * r for r in range(4)], parts")
    notebook.cell("last = %mpirun pull u --rank 3\nassert last.dtype == u.dtype and (last == u * 3).all()")
    notebook.ranks("square = comm.rank**2", "--collect square")
    assert notebook.cell("print(square)") == "[0, 1, 4, 9]\n"
    wait_for_no_segments()


def programs_run_beside_the_ranks(notebook):
    assert by_rank(notebook.cell("%mpirun run -n 3 uname -n")) == each(os.uname().nodename, 3)
    text = notebook.ranks("echo $HPCCTR_RANK of $HPCCTR_RANKS\n[ $HPCCTR_RANK != 2 ] || exit 3", "--exec --quiet -n 2")
    assert text == ""
    error, shown = notebook.fails("echo $HPCCTR_RANK of $HPCCTR_RANKS\n[ $HPCCTR_RANK != 2 ] || exit 3", "--exec")
    assert "rank 2 ended with status 3" in error
    assert by_rank(shown) == {rank: [f"{rank} of 4"] for rank in range(4)}
    program = "python3 -c 'from mpi4py import MPI; print(MPI.COMM_WORLD.allreduce(1))'"
    assert by_rank(notebook.cell(f"%mpirun run {program}")) == each("4")
    assert notebook.said("print(total)") == each("6")


def what_cannot_be_is_refused(notebook):
    error, _ = notebook.fails("1", "-n 5 --fresh")
    assert "5 ranks were asked for, and the allocation has room for 4" in error
    error, _ = notebook.fails("1", "-n 2")
    assert "4 ranks are running" in error
    error, _ = notebook.fails("1", "--rank 7")
    assert "no rank 7" in error
    assert notebook.said("print(total)") == each("6")
    error, _ = notebook.fails("1", "--fresh --pmi pmi2")
    assert "the ranks did not start" in error
    assert "does not speak what srun --mpi=pmi2 offers" in error
    assert "pmix" in error
    assert notebook.said("print('again')", "-n 6 --oversubscribe") == each("again", 6)


def a_kernels_restart_ends_its_ranks(notebook):
    pids = notebook.cell("%mpirun status")
    pids = [int(line.split()[2]) for line in pids.splitlines() if re.match(r"\d+ +n\d", line)]
    assert len(pids) == 6
    notebook.running.manager.restart_kernel()
    notebook.running.client.wait_for_ready(timeout=60)
    assert notebook.said(COMM + "print(comm.size)") == each("4")
    ended = {"gone", "Z"}  # Z: slurmstepd has yet to reap it
    wait_until(lambda: {state_of(pid) for pid in pids} <= ended, "the end of the ranks")


def test_ranks_of_mpich_run_in_its_image_on_both_nodes(site, start, mpich_image, image_policy):
    site.configure(store=image_policy.store)
    notebook = Notebook(start(image=mpich_image.reference, scheduler="slurm", nodes=2, ntasks_per_node=2))
    code = "import numpy as np\nu = np.ones(1 << 20)\ncomm.Allreduce(MPI.IN_PLACE, u)\nprint(u[-1])"
    assert notebook.said(COMM + code) == each("4.0")
    assert "MPICH 4.0.2 by srun --mpi=pmi2" in notebook.cell("%mpirun status")
    error, _ = notebook.fails("if comm.rank == 3:\n    1 / 0\ncomm.Barrier()")
    assert "rank 3 of 4 failed with ZeroDivisionError" in error
    assert notebook.said(COMM + "print(comm.allreduce(1))") == each("4")


def test_figures_come_by_rank(notebook):
    code = "import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nax.set_title(f'{comm.rank}')"
    content, published = notebook.running.run(f"%%mpirun\n{COMM}{code}")
    assert content["status"] == "ok"
    shown = [m["content"]["data"] for m in published if m["msg_type"] in ("display_data", "update_display_data")]
    assert any(data.get("text/html", "").count("data:image/png;base64,") == 4 for data in shown)
