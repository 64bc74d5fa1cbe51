"""The magic in a real ipykernel, as nbclient and front ends see it, with a hub that has no ranks."""

import os
import sys
import threading
import time

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from support.fake_hub import FakeHub

from jupyter_hpcctr.guest.mpirun.rich import WIDGET

LOAD = "from jupyter_hpcctr.guest.mpirun import magic\nmagic.load(get_ipython(), lambda: {!r})"


@pytest.fixture
def hub(tmp_path):
    hub = FakeHub(tmp_path, ranks=2)
    hub.start()
    yield hub
    hub.close()


class Notebook(NotebookClient):
    """Keeps the messages of the last cell."""

    def process_message(self, message, *rest):
        self.messages.append(message)
        return super().process_message(message, *rest)

    def run(self, code):
        self.messages = []
        self.nb.cells = [nbformat.v4.new_code_cell(code)]
        self.execute_cell(self.nb.cells[0], 0)
        return self.nb.cells[0].outputs

    def of(self, kind):
        return [message["content"] for message in self.messages if message["msg_type"] == kind]


@pytest.fixture
def notebook(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    manager = AsyncKernelManager()
    manager._kernel_spec = KernelSpec(argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"])
    notebook = Notebook(nbformat.v4.new_notebook(), km=manager, timeout=60)
    with notebook.setup_kernel(env=dict(os.environ), cwd=str(tmp_path), cleanup_kc=True):
        notebook.run(LOAD.format(hub.directory))
        yield notebook


def figures(hub, request):
    hub.say("notice", text="starting 2 ranks …", level="info", fleeting=True)
    hub.sleep(0.1)
    hub.out([0, 1], "computing\n")
    for rank in range(2):
        hub.display(rank, {"image/png": f"AAA{rank}", "text/plain": "<Figure>"})
    hub.sleep(0.5)  # shown while the cell still runs
    hub.out([1], "mine\n")
    return {}


def test_a_notebook_holds_text_and_tabs(hub, notebook):
    hub.scripts["execute"] = figures
    first, figure, last = notebook.run("%%mpirun\nplot()")
    assert (first.name, first.text) == ("stdout", "ranks 0–1 │ computing\n")
    assert (last.name, last.text) == ("stdout", "rank 1    │ mine\n")
    assert set(figure.data) == {"text/plain", "text/html"}  # what is saved needs no widget's state
    assert figure.data["text/html"].count("<img") == 2


def test_while_the_cell_runs_tabs_are_widgets(hub, notebook):
    hub.scripts["execute"] = figures
    notebook.run("%%mpirun\nplot()")
    (live,) = [content["data"] for content in notebook.of("display_data") if "text/html" in content["data"]]
    states = {content["comm_id"]: content["data"]["state"] for content in notebook.of("comm_open")}
    for message in notebook.of("comm_msg"):
        states[message["comm_id"]].update(message["data"].get("state", {}))
    tab = states[live[WIDGET]["model_id"]]
    assert list(tab["titles"]) == ["rank 0", "rank 1"]
    pages = [states[child.removeprefix("IPY_MODEL_")] for child in tab["children"]]
    assert [page["outputs"][0]["data"]["image/png"] for page in pages] == ["AAA0", "AAA1"]
    assert len(notebook.of("comm_close")) >= 3
    assert notebook.of("clear_output") == [{"wait": False}]  # what took the fleeting notice away


def test_a_failed_cell_is_an_error_for_clients(hub, notebook):
    hub.scripts["execute"] = lambda hub, request: {"status": "error", "message": "rank 1 failed", "respawned": True}
    with pytest.raises(CellExecutionError, match="RankError"):
        notebook.run("%%mpirun\n1/0")
    (error,) = notebook.nb.cells[0].outputs
    assert (error.output_type, error.ename, error.evalue) == ("error", "RankError", "rank 1 failed")
    assert len(error.traceback) == 2
    with pytest.raises(CellExecutionError):
        notebook.run("%%mpirun --rnaks 2\npass")
    assert notebook.nb.cells[0].outputs[0].ename == "MpirunUsageError"


def test_an_interrupt_of_the_kernel_interrupts_the_ranks(hub, notebook):
    pid = int(notebook.run("import os\nprint(os.getpid())")[0].text)
    hub.scripts["execute"] = lambda hub, request: {"status": "interrupted" if hub.wait_for_interrupt() else "ok"}

    def interrupt():
        while not hub.of("execute"):
            time.sleep(0.05)
        os.kill(pid, 2)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(CellExecutionError, match="KeyboardInterrupt"):
        notebook.run("%%mpirun\nsleep(1e6)")
    thread.join()
    hub.scripts["execute"] = lambda hub, request: hub.out([0, 1], "again\n") or {}
    assert notebook.run("%%mpirun\npass")[0].text == "ranks 0–1 │ again\n"
