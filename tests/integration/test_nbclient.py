"""Notebooks that nbclient executes with kernels on Slurm, as papermill, nbconvert and CI do."""

import subprocess
import sys
import threading
import time

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager, KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from support.waiting import wait_until

BARE = {"engine": "bare", "scheduler": "slurm"}
PATIENCE_S = 90


@pytest.fixture
def bare(site):
    return site.kernelspec("bare", **BARE)


@pytest.fixture(params=[AsyncKernelManager, KernelManager])
def execute(request, site, bare):
    """Execute cells; return the notebook. Both of jupyter_client's managers."""

    def run(*cells):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
        client = NotebookClient(
            notebook,
            kernel_name=bare,
            kernel_manager_class=request.param,
            timeout=PATIENCE_S,
            startup_timeout=PATIENCE_S,
            resources={"metadata": {"path": str(site.cwd)}},
        )
        run.notebook = notebook
        return client.execute()

    run.manager = request.param
    return run


class Beside:
    """Does something in a thread once it sees a pending job of a kernel, after a moment for its first cell."""

    def __init__(self, site, state, action):
        self._site, self._state, self._action = site, state, action
        self.error = None
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        try:
            until = time.monotonic() + 30
            while not (found := [line.split() for line in self._site.queue() if self._wanted(line)]):
                assert time.monotonic() < until
                time.sleep(0.1)
            time.sleep(3)
            self._action(found[0][0])
        except BaseException as error:
            self.error = error

    def _wanted(self, line):
        _, state, name = line.split(maxsplit=2)
        return state == self._state and name != "full"

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *args):
        self._thread.join()
        if self.error is not None:
            raise self.error


def outputs(notebook):
    return [[dict(output) for output in cell.outputs] for cell in notebook.cells]


def test_a_notebook_waits_in_the_queue_and_has_the_outputs_of_its_cells_alone(full, site, execute):
    with Beside(site, "PENDING", lambda _: full()):
        notebook = execute(
            "import os; print(os.environ['SLURMD_NODENAME'] in ('n1', 'n2'))",
            "from IPython.display import display; display(1); print('x'); 2 + 2",
            "pass",
        )
    number = {"metadata": {}, "output_type": "display_data"}
    assert outputs(notebook) == [
        [{"name": "stdout", "output_type": "stream", "text": "True\n"}],
        [
            {**number, "data": {"text/plain": "1"}},
            {"name": "stdout", "output_type": "stream", "text": "x\n"},
            {**number, "output_type": "execute_result", "data": {"text/plain": "4"}, "execution_count": 2},
        ],
        [],
    ]
    assert [cell.execution_count for cell in notebook.cells] == [1, 2, 3]
    assert notebook.metadata.language_info.name == "python"
    assert site.left_behind() == []


def test_a_cell_that_fails_raises(site, execute):
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        execute("x = 1", "x / 0", "never = 1")
    assert [len(cell.outputs) for cell in execute.notebook.cells] == [0, 1, 0]
    assert site.left_behind() == []


def test_a_job_that_ends_by_itself_raises_with_the_reason(site, execute):
    def end(job):
        wait_until((site.cwd / "begun").exists, "the second cell does not begin")
        subprocess.run(["scancel", job], check=True)

    with Beside(site, "RUNNING", end), pytest.raises(CellExecutionError, match="was cancelled from outside"):
        execute("print('begun')", "import time; open('begun', 'w').close(); time.sleep(80)")
    begun, told = outputs(execute.notebook)
    assert begun == [{"name": "stdout", "output_type": "stream", "text": "begun\n"}]
    assert (told[0]["output_type"], told[0]["ename"]) == ("error", "JobEnded")
    assert site.left_behind() == []


def test_a_job_that_is_cancelled_while_it_waits_raises_with_the_reason(full, site, execute):
    def end(job):
        subprocess.run(["scancel", job], check=True)

    with Beside(site, "PENDING", end), pytest.raises(CellExecutionError, match="was cancelled from outside"):
        execute("print('never')")
    assert [each["output_type"] for each in outputs(execute.notebook)[0]] == ["error"]


DIES = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"


@pytest.mark.parametrize("kernel", ["bare", "python3"])
def test_a_kernel_that_dies_ends_papermill_with_the_same_status_as_a_local_one(site, bare, kernel):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(DIES), nbformat.v4.new_code_cell("1")])
    nbformat.write(notebook, site.cwd / "in.ipynb")
    words = [sys.executable, "-m", "papermill", "in.ipynb", "out.ipynb", "-k", kernel, "--no-progress-bar"]
    done = subprocess.run(words, cwd=site.cwd, capture_output=True, text=True, timeout=PATIENCE_S)
    assert (done.returncode, "DeadKernelError" in done.stderr) == (138, True), done.stderr
    said = [each.get("evalue", "") for each in nbformat.read(site.cwd / "out.ipynb", 4).cells[0].outputs]
    assert kernel == "python3" or "ended by SIGKILL" in said[-1]


def test_a_kernel_that_dies_is_dead_to_nbclient_and_its_cell_says_why(site, execute):
    # With the blocking manager nbclient cannot see it, and waits for ever for a local kernel.
    with pytest.raises(DeadKernelError if execute.manager is AsyncKernelManager else CellExecutionError):
        execute(DIES, "never = 1")
    (error,), never = outputs(execute.notebook)
    assert (error["ename"], "ended by SIGKILL" in error["evalue"], never) == ("KernelDied", True, [])
