"""The panel of the ranks: with a hub that has none, in a shell of this process and in a real kernel."""

import builtins
import os
import re
import sys
import time

import ipywidgets
import nbformat
import pytest
from IPython.utils.capture import capture_output
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager, KernelManager
from nbclient import NotebookClient
from support.fake_hub import WORLD, FakeHub
from support.kernels import Running
from support.waiting import wait_until

from jupyter_hpcctr.guest.mpirun.errors import MpirunError
from jupyter_hpcctr.guest.mpirun.panel import RankPanel
from jupyter_hpcctr.guest.mpirun.world import page


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    hub = FakeHub(tmp_path)
    hub.scripts["stop"] = stopped
    hub.start()
    yield hub
    hub.close()


def stopped(hub, _request):
    hub.world = {"state": "none", "ranks": 0, "nodes": [], "processes": {}, "reasons": [], "checked": None}
    return {"world": hub.world}


@pytest.fixture
def panel(shell):
    panel = RankPanel()
    yield panel
    panel.close()


def plain(markup):
    return " ".join(re.sub(r"<[^>]*>", " ", markup).split())


def test_the_panel_says_where_ranks_are_and_what_they_do_in_words(hub):
    world = {**WORLD, "processes": {**WORLD["processes"], "1": {"pid": 101, "node": "n1", "busy": True}}}
    del world["processes"]["3"]
    said = plain(page(world))
    assert "4 ranks on n1 (0–1), n2 (2–3), Open MPI 4.1.4 by srun --mpi=pmix ; there is room for 4" in said
    assert "0 n1 100 idle 1 n1 101 busy in the running cell 2 n2 102 idle 3 n2 ended" in said
    assert "reduced to 4" in said
    assert "No ranks run" in page({"state": "none"})
    assert "being started" in page({"state": "starting"})
    assert "are broken" in page({**world, "state": "broken"})


def test_many_ranks_are_shown_by_node(hub):
    processes = {str(rank): {"pid": rank, "node": "n1", "busy": rank < 2} for rank in range(39)}
    said = plain(page({**WORLD, "ranks": 40, "nodes": [{"name": "n1", "ranks": [*range(40)]}], "processes": processes}))
    assert "n1 0–39 40 rank 39: ended; ranks 0–1: busy in the running cell; ranks 2–38: idle" in said


def test_names_from_the_hub_are_text_and_no_markup(hub):
    nodes = [{"name": "<img src=x>", "ranks": [0, 1, 2, 3]}]
    assert "<img" not in page({**WORLD, "nodes": nodes, "reasons": ["<b onclick=1>"]}).replace("<b>", "")


def test_what_loses_variables_is_asked_first(hub, panel):
    panel.click("stop")
    assert hub.of("stop") == []
    assert panel.confirmation.layout.display == ""
    assert "Stop the 4 ranks? What they hold in memory is lost" in panel.question.value
    panel.no.click()
    assert panel.confirmation.layout.display == "none"
    panel.confirm()  # nothing is asked about any more
    assert hub.of("stop") == []
    panel.buttons["stop"].click()
    panel.yes.click()
    assert len(hub.of("stop")) == 1
    assert "No ranks run" in panel.state.value
    assert not panel.buttons["start"].disabled
    assert panel.buttons["stop"].disabled
    assert "stopped" in panel.message.value


def test_ranks_are_started_anew_in_the_number_that_is_written(hub, panel):
    assert panel.buttons["start"].disabled
    hub.scripts["restart"] = lambda hub, request: hub.say("notice", text="wait <a moment>") or {"world": hub.world}
    panel.number.value = "3"
    panel.click("restart")
    panel.confirm()
    assert hub.of("restart")[0]["ranks"] == 3
    assert "between nodes 9.8 GB/s" in panel.message.value
    assert "wait &lt;a moment&gt;" in panel.message.value
    panel.number.value = "three"
    panel.click("restart")
    panel.confirm()
    assert len(hub.of("restart")) == 1
    assert 'role="alert"' in panel.message.value
    assert "whole number" in panel.message.value


def test_a_refusal_is_a_sentence(hub, panel):
    stopped(hub, None)
    hub.scripts["start"] = lambda hub, request: {"status": "refused", "message": "no <room>", "hint": "Use -n 2."}
    panel.click("start")
    assert "no &lt;room&gt;. Use -n 2." in panel.message.value


def test_the_magic_knows_what_the_panel_has_done(hub, shell, panel):
    with capture_output():
        shell.run_cell("%%mpirun\npass")
        panel.click("stop")
        panel.confirm()
        shell.run_cell("%%mpirun\npass")
    assert hub.ops().count("start") == 2


def test_interrupting_needs_something_that_runs(hub, panel):
    panel.click("interrupt")
    assert "nothing to interrupt" in panel.message.value
    hub.world = {**WORLD, "processes": {"0": {"pid": 1, "node": "n1", "busy": True}}}
    panel.click("interrupt")
    assert hub.interrupted.wait(10)
    assert "ended" in panel.state.value


def test_a_lost_hub_is_no_trouble_for_the_panel(hub, panel):
    hub.stop()
    os.unlink(f"{hub.directory}/ranks")
    panel.turn()
    assert "No ranks run" in panel.state.value
    panel.click("interrupt")
    assert "nothing to interrupt" in panel.message.value


def test_an_answer_from_before_a_click_changes_nothing(hub, panel):
    hub.world = {"state": "starting"}
    panel.turn()
    time.sleep(0.1)  # its answer is there, and nobody has looked
    hub.world = WORLD
    panel.click("interrupt")
    seen = []
    panel.state.observe(lambda change: seen.append(change["new"]), "value")
    for _ in range(20):
        panel._due = 0.0
        panel.turn()
        time.sleep(0.01)
    assert "4 ranks on" in panel.state.value
    assert seen == []


def test_where_something_is_missing_a_sentence_says_so(hub, shell, monkeypatch):
    with capture_output() as captured:
        shell.run_cell("%mpirun panel")
    assert "needs a notebook" in captured.stdout + captured.stderr
    real = builtins.__import__

    def without(name, *rest, **more):
        if name == "ipywidgets":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MpirunError, match="needs ipywidgets"):
        RankPanel()


def test_every_control_has_a_label(panel):
    def controls(widget):
        for child in getattr(widget, "children", ()):
            yield from controls(child)
        if isinstance(widget, (ipywidgets.Button, ipywidgets.Text)):
            yield widget

    panel.click("stop")
    assert all(control.description for control in controls(panel.widget))


LOAD = "from jupyter_hpcctr.guest.mpirun import magic\nmagic.load(get_ipython(), lambda: {!r})"
VIEW = "application/vnd.jupyter.widget-view+json"


def test_the_panel_of_a_notebook_follows_a_cell_while_it_runs(hub, tmp_path):
    manager = AsyncKernelManager()
    manager._kernel_spec = KernelSpec(argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"])
    seen = []

    class Notebook(NotebookClient):
        def process_message(self, message, *rest):
            seen.append(message)
            return super().process_message(message, *rest)

        def run(self, code):
            seen.clear()
            self.nb.cells = [nbformat.v4.new_code_cell(code)]
            self.execute_cell(self.nb.cells[0], 0)
            return self.nb.cells[0].outputs

    def works(hub, _request):
        hub.world = {**WORLD, "processes": {"0": {"pid": 1, "node": "n1", "busy": True}}}
        until = time.monotonic() + 20
        while time.monotonic() < until and not any("busy in the running cell" in str(m["content"]) for m in seen):
            hub.sleep(0.05)
        hub.world = WORLD
        return {}

    notebook = Notebook(nbformat.v4.new_notebook(), km=manager, timeout=60)
    with notebook.setup_kernel(env=dict(os.environ), cwd=str(tmp_path), cleanup_kc=True):
        notebook.run(LOAD.format(hub.directory))
        (output,) = notebook.run("%mpirun panel")
        model = output["data"][VIEW]["model_id"]
        (again,) = notebook.run("%mpirun panel")
        assert again["data"][VIEW]["model_id"] == model, "one panel, however often it is shown"
        hub.scripts["execute"] = works
        notebook.run("%%mpirun\npass")
        told = [m["content"]["data"]["state"] for m in seen if m["msg_type"] == "comm_msg"]
        assert any("busy in the running cell" in str(state) for state in told)


def test_a_click_interrupts_a_cell_that_runs_where_clicks_have_a_subshell(hub, tmp_path):
    manager = KernelManager()
    manager._kernel_spec = KernelSpec(argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"])
    hub.scripts["execute"] = lambda hub, request: {"status": "interrupted" if hub.wait_for_interrupt() else "ok"}
    kernel = Running(manager, cwd=tmp_path)
    try:
        client, session = kernel.client, kernel.client.session
        client.control_channel.send(session.msg("create_subshell_request", {}))
        subshell = client.get_control_msg(timeout=60)["content"]["subshell_id"]
        kernel.run(LOAD.format(hub.directory) + "\nfrom jupyter_hpcctr.widgets import RankPanel\npanel = RankPanel()")
        button = kernel.value("panel.buttons['interrupt'].model_id")
        hub.world = {**WORLD, "processes": {"0": {"pid": 1, "node": "n1", "busy": True}}}
        asked = client.execute("%%mpirun\npass", stop_on_error=False)
        wait_until(lambda: "execute" in hub.ops(), "the cell reaches no hub")
        click = session.msg(
            "comm_msg", {"comm_id": button, "data": {"method": "custom", "content": {"event": "click"}}}
        )
        click["header"]["subshell_id"] = subshell
        client.shell_channel.send(click)
        assert kernel.ended(asked)["ename"] == "KeyboardInterrupt"
        assert "told to stop" in kernel.value("panel.message.value")
    finally:
        kernel.stop()
