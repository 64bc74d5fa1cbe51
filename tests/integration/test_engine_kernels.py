"""Kernels of each engine that runs images, on real Slurm nodes: a restart, an interrupt, ranks, and nothing left."""

import os
import signal
import threading
from pathlib import Path

import pytest
from support.notebooks import Notebook
from support.waiting import state_of, wait_until

COMM = "from mpi4py import MPI\ncomm = MPI.COMM_WORLD\n"
SPACES = "{n: os.readlink(f'/proc/self/ns/{n}') for n in ('user', 'mnt', 'pid', 'net')}"
STATUS = "dict(l.split(':\\t') for l in open('/proc/self/status').read().splitlines() if ':\\t' in l)"


@pytest.fixture(params=["bubblewrap", "crun"])
def notebook(request, site, start, mpi_image, image_policy):
    """A kernel of the engine, with two nodes of two slots each."""
    site.configure(store=image_policy.store, engines=[request.param, "bare"])
    wanted = {"engine": request.param, "image": mpi_image.reference}
    return Notebook(start(**wanted, scheduler="slurm", nodes=2, ntasks_per_node=2))


def test_kernel_restart_interrupt_and_ranks_in_the_image(notebook):
    kernel = notebook.running
    status = kernel.value(f"({STATUS})")
    assert (status["NoNewPrivs"], status["CapEff"].strip("0")) == ("1", "")
    assert kernel.value("[__import__('os').getuid(), __import__('os').getgid()]") == [os.getuid(), os.getgid()]
    assert "ID=debian" in kernel.value("open('/etc/os-release').read()")
    assert kernel.value("__import__('os').access('/usr', __import__('os').W_OK)") is False

    threading.Timer(1.0, kernel.manager.interrupt_kernel).start()
    content, _ = kernel.run("import time\ntime.sleep(100)", stop_on_error=False)
    assert content["ename"] == "KeyboardInterrupt"

    notebook.cell("import os\nold = os.getpid()")
    spaces, old = kernel.value(SPACES), kernel.value("old")
    kernel.manager.restart_kernel(now=True)
    kernel.client.wait_for_ready(timeout=60)
    notebook.cell("import os")
    assert kernel.value("'old' in globals()") is False
    assert kernel.value(SPACES) == spaces
    wait_until(lambda: state_of(old) == "gone", "the old kernel")

    said = notebook.said(COMM + "import os\nprint(os.environ['SLURMD_NODENAME'], comm.allreduce(comm.rank))")
    assert sorted(lines[0] for lines in said.values()) == ["n1 6", "n1 6", "n2 6", "n2 6"]
    on_own_node = notebook.said(f"print(sorted({SPACES}.values()) if comm.rank in (0, 1) else '')")
    assert {on_own_node[0][0], on_own_node[1][0]} == {str(sorted(spaces.values()))}


def test_a_killed_agent_leaves_no_process_and_the_next_one_removes_the_rest(notebook, site, start):
    kernel = notebook.running
    pid = kernel.value("__import__('os').getpid()")
    (run_dir,) = site.directory.glob(f"tmp/hpcctr-{os.getuid()}-*")
    holder = int((run_dir / "kernel" / "holder.pid").read_text())
    agent = int(os.readlink(run_dir / "agent"))
    parents = ancestors(holder, agent)
    os.kill(agent, signal.SIGKILL)
    for each in (pid, holder, *parents):
        wait_until(lambda each=each: state_of(each) in ("gone", "Z"), f"{each} of {parents}")
    assert run_dir.exists()
    assert start(engine="bare", scheduler="local").value("1") == 1
    assert not run_dir.exists()


def ancestors(pid, last):
    """The processes between two."""
    found = []
    while (pid := int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])) not in (last, 1):
        found.append(pid)
    return found
