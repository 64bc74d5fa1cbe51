"""Nothing that ranks do wedges the notebook: every trouble with real ranks of Open MPI and of MPICH."""

import re
from pathlib import Path

import pytest
from support.notebooks import Notebook, mpi_environment

SETUP = "from mpi4py import MPI\nimport os, signal, sys, time\ncomm = MPI.COMM_WORLD\n"


@pytest.fixture(params=["openmpi", "mpich"])
def mpi(request, tmp_path):
    """The environment by which mpi4py takes this MPI."""
    return mpi_environment(request.param, tmp_path)


@pytest.fixture
def notebook(start, mpi):
    """A kernel with two nodes of two slots each, and a variable in it that has to survive."""
    made = Notebook(start(engine="bare", scheduler="slurm", nodes=2, ntasks_per_node=2, env=mpi))
    made.cell("precious = 42")
    assert made.said(SETUP + "print(comm.size)") == {rank: ["4"] for rank in range(4)}
    yield made
    assert made.cell("print(precious)") == "42\n"
    shared = Path("/dev/shm").glob(f"mpi-{Path(made.running.launch.plan.run_dir).name}*")
    assert len(list(shared)) <= 2, "worlds that were killed have left their shared memory"


def works(notebook, *, anew, ranks=4):
    """The next cell works, in ranks with or without their variables."""
    assert notebook.said("print('comm' in globals())") == {rank: [str(not anew)] for rank in range(ranks)}
    assert notebook.said(SETUP + "comm.allreduce(1)") == {rank: [str(ranks)] for rank in range(ranks)}


def test_ranks_in_trouble(notebook, mpi):
    """One kernel for all of it: what one trouble left behind would be the next one's."""
    raises_while_others_wait(notebook)
    all_raise_alike(notebook)
    is_killed(notebook)
    segfaults(notebook)
    aborts(notebook)
    exits(notebook)
    exits_while_others_wait(notebook)
    exits_for_good(notebook)
    takes_too_long(notebook)
    is_interrupted_in_python(notebook)
    is_interrupted_in_mpi(notebook)
    if mpi["MPI4PY_MPIABI"] == "mpich":
        is_alone(notebook)


def is_alone(notebook):
    error, _ = notebook.fails("1", "--fresh --pmi pmix")
    assert "4 processes, each believes that it is alone: the image's MPICH" in error
    assert "pmi2: %mpirun restart --pmi NAME" in error
    works(notebook, anew=True)


def raises_while_others_wait(notebook):
    error, text = notebook.fails("if comm.rank == 2:\n    raise ValueError('on purpose')\ncomm.Barrier()")
    assert "RankError: rank 2 of 4 failed with ValueError" in error
    assert "ended and started again" in error
    assert "on purpose" in text
    assert re.search(r"ranks 0–1, 3:\n.*line 3: comm.Barrier\(\)", text), text
    assert "where the other ranks stood" in text
    works(notebook, anew=True)


def all_raise_alike(notebook):
    error, text = notebook.fails("1 / 0")
    assert "ranks 0–3 of 4 failed with ZeroDivisionError" in error
    assert text.count("division by zero") == 1
    works(notebook, anew=False)


def is_killed(notebook):
    error, text = notebook.fails("if comm.rank == 1:\n    os.kill(os.getpid(), signal.SIGKILL)\ncomm.Barrier()")
    assert "rank 1 was ended by SIGKILL" in text
    assert "RankError" in error
    works(notebook, anew=True)


def segfaults(notebook):
    _, text = notebook.fails("import ctypes\nif comm.rank == 3:\n    ctypes.string_at(0)\ncomm.Barrier()")
    assert "rank 3 was ended by SIGSEGV" in text
    assert "Segmentation fault" in text
    works(notebook, anew=True)


def aborts(notebook):
    _, text = notebook.fails("if comm.rank == 1:\n    MPI.COMM_WORLD.Abort(7)\ncomm.Barrier()")
    assert re.search(r"abort", text, re.IGNORECASE), text
    works(notebook, anew=True)


def exits(notebook):
    error, text = notebook.fails("if comm.rank == 0:\n    sys.exit(3)")
    assert "rank 0 of 4 failed with SystemExit" in error
    assert "sys.exit(3) was called" in text
    works(notebook, anew=False)


def exits_while_others_wait(notebook):
    error, text = notebook.fails("if comm.rank == 0:\n    sys.exit(5)\ncomm.Barrier()")
    assert "sys.exit(5) was called" in text and "ended and started again" in error
    assert "stay" not in text + error
    works(notebook, anew=True)


def exits_for_good(notebook):
    _, text = notebook.fails("if comm.rank == 0:\n    os._exit(5)\ncomm.Barrier()")
    assert "rank 0 ended with status 5" in text
    works(notebook, anew=True)


def takes_too_long(notebook):
    error, text = notebook.fails("comm.recv(source=(comm.rank + 1) % comm.size)", "--timeout 1")
    assert "after its time limit of 1 s" in error
    assert "line 1: comm.recv" in text
    works(notebook, anew=True)


def is_interrupted_in_python(notebook):
    error, _ = notebook.interrupted("print('here', flush=True)\ntime.sleep(100)", after="here")
    assert error.startswith("KeyboardInterrupt")
    works(notebook, anew=False)


def is_interrupted_in_mpi(notebook):
    code = "print('here', flush=True)\nif comm.rank:\n    comm.Barrier()\nelse:\n    comm.recv(source=1)"
    error, text = notebook.interrupted(code, after="here")
    assert error.startswith("KeyboardInterrupt")
    assert "comm.Barrier()" in text
    works(notebook, anew=True)


@pytest.fixture
def alone(start, mpi):
    """A kernel on this machine without a scheduler that has steps: the host's own mpiexec starts its ranks."""
    return Notebook(start(engine="bare", scheduler="local", env=mpi))


def test_without_a_scheduler_ranks_beyond_the_machine_are_reduced_visibly(alone):
    size = alone.said(SETUP + "print(comm.size)", "-n 1000")[0]
    status = alone.cell("%mpirun status")
    assert re.search(rf"ranks 1000 → {size[0]}: this machine has {size[0]} CPU", status), status


def test_without_a_scheduler_ranks_in_trouble_are_started_again(alone):
    options = "-n 4 --oversubscribe"
    assert alone.said(SETUP + "print(comm.size)", options) == {rank: ["4"] for rank in range(4)}
    error, _ = alone.fails("if comm.rank == 2:\n    1 / 0\ncomm.Barrier()")
    assert "rank 2 of 4 failed with ZeroDivisionError" in error
    works(alone, anew=True)
    _, text = alone.fails("if comm.rank == 1:\n    os.kill(os.getpid(), signal.SIGKILL)\ncomm.Barrier()")
    assert "rank 1 was ended by SIGKILL" in text
    works(alone, anew=True)
