"""The picker in real kernels: clicks as a front end sends them, kernels in an image on a real Slurm, and Voilà."""

import json
import re
import socket
import subprocess
import sys
import time
import urllib.request
from types import SimpleNamespace

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from support.kernels import Running
from support.notebooks import text_of
from support.server import Socket

VIEW = "application/vnd.jupyter.widget-view+json"
MAKE = "from jupyter_hpcctr.widgets import ImagePicker, JobStatus\npicker = ImagePicker({'time': '10', 'mem': '500M'})"
PATIENCE_S = 60


@pytest.fixture
def images(site, kernel_image, image_policy):
    """A site whose store has an image."""
    site.configure(store=image_policy.store)
    return kernel_image


@pytest.fixture
def page(site, images):
    """A plain kernel of this environment, used as a front end does."""
    running = Running(KernelManager(kernel_name="python3"), cwd=site.cwd)
    yield Page(running)
    running.stop()


class Page:
    """Clicks on what a kernel shows."""

    def __init__(self, running):
        self.running = running

    def cell(self, code):
        content, published = self.running.run(code)
        assert content["status"] == "ok", "\n".join(content["traceback"])
        return published

    def click(self, widget):
        """Send what the page sends for a click on a button; it is done before the next cell."""
        comm = self.running.value(f"{widget}.model_id")
        data = {"method": "custom", "content": {"event": "click"}}
        self.running.client.shell_channel.send(
            self.running.client.session.msg("comm_msg", {"comm_id": comm, "data": data})
        )

    def until(self, expression):
        """Wait until something is so, in cells that leave the kernel's loop time to turn."""
        until = time.monotonic() + PATIENCE_S
        while not self.running.value(expression):
            assert time.monotonic() < until, expression
            time.sleep(0.1)


def test_clicks_start_and_cancel_a_job_only_when_they_are_confirmed(page, site):
    published = page.cell(f"{MAKE}\npicker")
    opened = [m["content"]["data"]["state"] for m in published if m["msg_type"] == "comm_open"]
    assert {"Search images", "Images", "Partition", "Nodes", "Time limit"} <= {s.get("description") for s in opened}
    page.until("'sbatch' in picker.form.what.value")
    page.click("picker.start_button")
    page.until("picker.confirmation.asked")
    assert site.queue() == []
    assert "sbatch" in page.running.value("picker.confirmation.question.value")
    page.click("picker.confirmation.yes")
    page.until("picker.kernel is not None and bool(picker.kernel.status.job)")
    assert len(site.queue()) == 1
    page.cell("status = picker.jobs.children[0]")
    page.until("'Slurm job' in status.state.value")
    page.click("status.cancel_button")
    page.until("status.confirmation.asked")
    assert len(site.queue()) == 1
    page.click("status.confirmation.yes")
    page.until("status.view.state == 'ended'")
    assert page.running.value("status.view.ending") == "CANCELLED"
    page.cell("picker.kernel.shutdown()")
    assert page.running.value("picker.kernel.status.state") == "gone"


def test_a_problem_is_said_beside_its_field_and_nothing_can_be_confirmed(page, site):
    page.cell(f"{MAKE}\npicker.form.put(nodes=99)")
    page.until("'role=\"alert\"' in picker.form.fields['nodes'].problem.value")
    page.click("picker.start_button")
    page.until("'role=\"alert\"' in picker.message.value")
    assert not page.running.value("picker.confirmation.asked")
    assert site.queue() == []


CELLS = [
    MAKE,
    """
kernel = picker.start()
reply = kernel.execute("print('in', __import__('os').environ['SLURM_JOB_ID'])\\n6 * 7")
print(reply['status'], kernel.status.state, kernel.status.job)
""",
    "display(JobStatus(kernel))\nprint(JobStatus(kernel).state.value)",
    "print(kernel.execute('1 / 0')['ename'])",
    "kernel.execute('x = 1')\nkernel.restart()\nprint(kernel.execute('x')['ename'])",
    """
import threading
threading.Timer(1, kernel.interrupt).start()
print(kernel.execute('import time\\ntime.sleep(100)')['ename'])
""",
    """
kernel.shutdown()
print(kernel.status.state)
try:
    kernel.execute('1')
except Exception as error:
    print(error)
""",
    "with picker.start() as other:\n    print(other.execute('print(1)')['status'])\nprint(other)",
]


def test_a_notebook_uses_kernels_by_its_own_code(site, images):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    options = {"timeout": PATIENCE_S, "resources": {"metadata": {"path": str(site.cwd)}}}
    NotebookClient(notebook, kernel_name="python3", kernel_manager_class=KernelManager, **options).execute()
    printed = ["".join(o.text for o in cell.outputs if o.get("name") == "stdout") for cell in notebook.cells]
    found = re.fullmatch(r"in (\d+)\nok running (\d+)\n", printed[1])
    assert found is not None, notebook.cells[1].outputs
    assert found[1] == found[2]
    assert any(output.get("data", {}).get("text/plain") == "42" for output in notebook.cells[1].outputs)
    assert VIEW in notebook.cells[2].outputs[0]["data"]
    assert "Running on" in printed[2]
    assert printed[3:6] == ["ZeroDivisionError\n", "NameError\n", "KeyboardInterrupt\n"]
    assert printed[6].startswith("gone\nthis kernel has been shut down")
    assert re.fullmatch(r"1\nok\n<Kernel hpcctr-\w+: gone, job \d+>\n", printed[7]), printed[7]


def test_voila_shows_the_picker(site, images):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(f"{MAKE}\npicker")])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python", "language": "python"}
    nbformat.write(notebook, site.cwd / "picker.ipynb")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", "voila", "picker.ipynb", "--no-browser", f"--port={port}", "--Voila.ip=127.0.0.1"]
    log_file = site.directory / "voila.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(words, cwd=site.cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        shown = fetched(url, process, log_file)
        assert VIEW in shown
        (kernel_id,) = re.findall(r'"kernelId": *"([0-9a-f-]+)"', shown)
        states = json.dumps(widget_states(SimpleNamespace(url=url, token=""), kernel_id))
        for label in ("Search images", "Partition", "Time limit", images.reference):
            assert label in states, label
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def fetched(url, process, log_file):
    """The page, as soon as there is a server for it."""
    until = time.monotonic() + PATIENCE_S
    while process.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
                return answer.read().decode()
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log_file.read_text())


def widget_states(server, kernel_id):
    """Ask a kernel for the state of its widgets, as Voilà's page does."""
    connection = Socket(server, kernel_id, session="voila", protocol="")
    try:
        comms = connection.answer(connection.send("comm_info_request", {"target_name": "jupyter.widget"}))["comms"]
        for comm in comms:
            connection.send("comm_msg", {"comm_id": comm, "data": {"method": "request_state"}})
        states = {}
        while states.keys() != comms.keys():
            message = connection.until(lambda m: m["header"]["msg_type"] == "comm_msg")[-1]["content"]
            states.setdefault(message["comm_id"], message["data"]["state"])
        return states
    finally:
        connection.close()


def test_the_ranks_panel_works_where_the_package_is_not_installed(site, start, images):
    kernel = start(image=images.reference, scheduler="slurm", nodes=1, ntasks_per_node=2)
    content, published = kernel.run("%mpirun panel")
    assert content["status"] == "ok", content
    (view,) = (m["content"]["data"][VIEW] for m in published if VIEW in m["content"].get("data", {}))
    opened = {m["content"]["comm_id"]: m["content"]["data"]["state"] for m in published if m["msg_type"] == "comm_open"}
    assert view["model_id"] in opened
    assert any("No ranks run" in str(m["content"]) for m in published if m["msg_type"] == "comm_msg")
    (button,) = (comm for comm, state in opened.items() if state.get("description") == "Start ranks")
    click = {"comm_id": button, "data": {"method": "custom", "content": {"event": "click"}}}
    kernel.client.shell_channel.send(kernel.client.session.msg("comm_msg", click))
    assert "2 ranks on" in text_of(kernel.run("%mpirun status")[1])
