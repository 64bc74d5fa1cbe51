"""What ranks start in sessions of their own ends with them, whichever way they end, on all nodes."""

import subprocess

import pytest
from support.kernels import READY_S
from support.notebooks import Notebook, mpi_environment
from support.waiting import state_of, wait_until

DAEMON = """
import os, signal, subprocess, sys
daemons = [subprocess.Popen(["sleep", "4321"], start_new_session=True, env=env) for env in ({}, None)]
code = "import os, time; os.fork() and os._exit(0); os.setsid(); print(os.getpid(), flush=True); time.sleep(4321)"
left = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
print(*[each.pid for each in daemons], int(left.stdout.readline()))
"""


@pytest.fixture(params=["openmpi", "mpich"])
def mpi(request, tmp_path):
    return mpi_environment(request.param, tmp_path)


@pytest.fixture(params=["slurm", "local"])
def notebook(mpi, request, start):
    size = {"nodes": 2, "ntasks_per_node": 2} if request.param == "slurm" else {}
    return Notebook(start(engine="bare", scheduler=request.param, env=mpi, **size))


def test_daemons_of_ranks_end_with_ranks_restart_kernel_and_job(notebook):
    for end in ENDS:
        said = notebook.said(DAEMON, "-n 4 --oversubscribe")
        pids = [int(pid) for lines in said.values() for pid in lines[0].split()]
        assert len(pids) == 12
        assert {state_of(pid) for pid in pids} == {"S"}
        end(notebook)
        are_over(pids, (end.__name__, said))


def are_over(pids, said):
    left = list(pids)

    def over():
        left[:] = [pid for pid in left if state_of(pid) not in "ZXgone"]
        return not left

    wait_until(over, (left, said))


def is_killed(notebook):
    notebook.fails("if os.environ['HPCCTR_RANK'] == '0':\n    os.kill(os.getpid(), signal.SIGKILL)")


def is_killed_with_its_wrapper(notebook):
    """As by a launcher that ends all of its processes at once."""
    notebook.fails("if os.environ['HPCCTR_RANK'] == '0':\n    os.kill(os.getppid(), 9)\n    os.kill(os.getpid(), 9)")


def aborts(notebook):
    notebook.fails("from mpi4py import MPI\nif MPI.COMM_WORLD.rank == 1:\n    MPI.COMM_WORLD.Abort(7)")


def are_restarted(notebook):
    notebook.cell("%mpirun restart")


def has_its_kernel_restarted(notebook):
    notebook.running.manager.restart_kernel(now=True)
    notebook.running.client.wait_for_ready(timeout=READY_S)


def has_its_job_ended(notebook):
    """Slurm's from outside; a local one has nobody else who could."""
    if notebook.running.launch.plan.ranks.steps is None:
        notebook.running.manager.shutdown_kernel()
    else:
        subprocess.run(["scancel", notebook.running.launch.job], check=True)


ENDS = (is_killed, is_killed_with_its_wrapper, aborts, are_restarted, has_its_kernel_restarted, has_its_job_ended)
