"""The demo, run as people run it: from built images to an executed notebook, twice, and to nothing left."""

import base64
import contextlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from support.images import CHECKOUT, ENVIRONMENT, image_cache
from support.kernels import processes_with
from support.notebooks import by_rank
from support.slurm import short_directory

from jupyter_hpcctr.downscale.cluster import Cluster

DEMO = CHECKOUT / "kernels" / "demo" / "demo.py"


def demo(*words, **more):
    return subprocess.run(
        [sys.executable, str(DEMO), *words], env=ENVIRONMENT, capture_output=True, text=True, timeout=400, **more
    )


@pytest.fixture(scope="module")
def place(built_images):
    """A demo that has run once; ended if a test did not do so."""
    with short_directory() as directory:
        options = ("--dir", str(directory / "demo"), "--images", str(image_cache()))
        done = demo(*options)
        try:
            yield directory / "demo", options, done
        finally:
            if (directory / "demo").exists():
                demo("down", *options)


class Played:
    """The executed notebook: what its cells show."""

    def __init__(self, notebook):
        self.cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert all(cell.execution_count for cell in self.cells)
        outputs = [output for cell in self.cells for output in cell.outputs]
        self.text = "".join(output.text for output in outputs if output.output_type == "stream")
        self.notices = [output.data["text/plain"] for output in outputs if "text/plain" in output.get("data", {})]
        self.pictures = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]

    def by_rank(self, words):
        """What each rank printed in the cell with these words in it."""
        (cell,) = (cell for cell in self.cells if words in cell.source)
        return by_rank("".join(output.text for output in cell.outputs))


def plate(size, steps):
    """The plate's temperatures after these steps, by one process, without halos."""
    row, column = np.ogrid[:size, :size]
    hot = ((row - 70) ** 2 + (column - 60) ** 2 < 35**2) | ((abs(row - 130) < 30) & (abs(column - 140) < 20))
    u = np.pad(hot * 1.0, ((1, 1), (0, 0)))
    for _ in range(steps):
        inside = u[1:-1, 1:-1]
        around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
        u[1:-1, 1:-1] = inside + 0.2 * (around - 4 * inside)
    return u[1:-1]


def ranks_have_computed(played, *, nodes):
    """The distributed cells show what is right, by one rank for each of ``nodes``."""
    ranks = len(nodes)
    pi = f"pi is 3.1415926536, by {ranks} ranks"
    assert played.by_rank("pi = comm") == {rank: [pi, f"node {node}"] for rank, node in enumerate(nodes)}
    heat, edges = plate(200, 200), [200 * rank // ranks for rank in range(ranks + 1)]
    parts = [heat[first:end].sum() for first, end in zip(edges, edges[1:], strict=False)]
    assert played.by_rank("Sendrecv(u[1]") == {
        rank: [f"rows {edges[rank]} to {edges[rank + 1] - 1} have {part / heat.sum():.2%} of the heat"]
        for rank, part in enumerate(parts)
    }
    (picture,) = played.pictures
    assert base64.b64decode(picture).startswith(b"\x89PNG") and len(picture) > 10_000
    table = [line.split() for line in played.by_rank("def ring")[0]]
    assert table[0] == ["bytes", "µs", "MB/s"]
    assert [row[0] for row in table[1:]] == ["1", "1,000", "10,000", "100,000", "1,000,000"]
    assert all(float(row[1]) > 0 for row in table[1:])


@pytest.mark.slurm
@pytest.mark.image
@pytest.mark.timeout(900)
def test_the_notebook_ran_in_the_image_on_two_nodes_and_its_ranks_are_right(place):
    directory, _, done = place
    assert done.returncode == 0, done.stderr + done.stdout
    saved = directory / "notebooks" / "hello.ipynb"
    played = Played(nbformat.read(saved, as_version=4))
    assert re.search(r"^node +n[12]$", played.text, re.MULTILINE)
    assert re.search(r"^system +Debian GNU/Linux 12", played.text, re.MULTILINE)
    assert re.search(r"^root +fuse read-only$", played.text, re.MULTILINE)
    assert "privileges cannot be gained" in played.text
    assert "4 ranks on n1 (0–1), n2 (2–3), Open MPI 4.1.4 by srun --mpi=pmix" in played.text
    ranks_have_computed(played, nodes=["n1", "n1", "n2", "n2"])
    for line in (*played.text.splitlines(), f"[a picture, to be seen in {saved}]"):
        assert line in done.stdout
    phases = re.findall(r"^  (\w[\w ]*?) +\d+\.\d\d +\d+\.\d\d$", done.stdout, re.MULTILINE)
    assert phases == ["submitted", "queued", "node up", "image ready", "kernel ready", "first cell done"]


@pytest.fixture
def two_cpus():
    """For what this test starts, this machine has two CPUs at most."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:2])
    yield min(2, len(before))
    os.sched_setaffinity(0, before)


@pytest.mark.timeout(300)
def test_the_notebook_runs_in_a_plain_kernel_with_as_many_ranks_as_there_are_cpus(tmp_path, monkeypatch, two_cpus):
    monkeypatch.setenv("MPI4PY_MPIABI", "openmpi")
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    notebook = nbformat.read(DEMO.parent / "hello.ipynb", as_version=4)
    where = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, kernel_name="python3", timeout=200, resources=where).execute()
    played = Played(notebook)
    reason = f"ranks 4 → {two_cpus}: this machine has {two_cpus} CPU{'s' * (two_cpus > 1)} for them"
    assert sum(notice.count(reason) for notice in played.notices) == 1
    assert re.search(rf"^{two_cpus} ranks? on .*, Open MPI .* by mpiexec", played.text, re.MULTILINE)
    ranks_have_computed(played, nodes=[os.uname().nodename] * two_cpus)


def answers(address):
    """Whether a server is there."""
    try:
        with urllib.request.urlopen(address, timeout=30):
            return True
    except urllib.error.URLError:
        return False


@contextlib.contextmanager
def jupyterlab(commands, runtime):
    """Start JupyterLab by the commands that the demo prints, without a browser; yield its address."""
    words = f"{commands} --no-browser --ip=127.0.0.1 --port=0 --IdentityProvider.token=t"
    words += " --allow-root" if os.getuid() == 0 else ""
    clean = {name: ENVIRONMENT[name] for name in ("HOME", "PATH")}
    log = runtime.parent / "lab.log"
    with log.open("wb") as out:
        server = subprocess.Popen(["sh", "-ec", words.replace("\n/", "\nexec /")], env=clean, stdout=out, stderr=out)
    try:
        record, until = runtime / f"jpserver-{server.pid}.json", time.monotonic() + 60
        while not record.exists() or not (text := record.read_text()):
            assert server.poll() is None and time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        address = json.loads(text)["url"]
        while not answers(f"{address}api"):  # the record is written a little before
            assert server.poll() is None and time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=60)


@pytest.mark.slurm
@pytest.mark.image
@pytest.mark.timeout(900)
def test_a_second_run_uses_the_cluster_that_is_there(place):
    directory, options, _ = place
    before = Cluster.at(directory / "cluster").status()
    done = demo(*options)
    assert done.returncode == 0, done.stderr + done.stdout
    after = Cluster.at(directory / "cluster").status()
    assert after.is_up
    assert after.pids == before.pids


@pytest.mark.slurm
@pytest.mark.image
@pytest.mark.timeout(900)
def test_the_printed_commands_open_the_notebook_in_jupyterlab(place):
    directory, _, done = place
    commands = re.findall(r"^    (export \w+=.*|/.*/jupyter-lab .*)$", done.stdout, re.MULTILINE)
    assert len(commands) == 4
    assert commands[-1].endswith(str(directory / "notebooks" / "hello.ipynb"))
    queue = ["squeue", "--noheader", "--format=%j"]
    env = {**ENVIRONMENT, "SLURM_CONF": str(directory / "cluster" / "etc" / "slurm.conf")}
    with jupyterlab("\n".join(commands), directory / "data" / "runtime") as address:
        body = {"name": "hello", "path": "hello.ipynb", "type": "notebook", "kernel": {"name": "hpcctr-demo"}}
        asked = urllib.request.Request(f"{address}api/sessions?token=t", json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(asked, timeout=60) as answer:
            assert json.load(answer)["kernel"]["name"] == "hpcctr-demo"
        assert "python-mpi:1" in subprocess.run(queue, env=env, capture_output=True, text=True, check=True).stdout
    assert subprocess.run(queue, env=env, capture_output=True, text=True, check=True).stdout == ""


@pytest.mark.slurm
@pytest.mark.image
@pytest.mark.timeout(900)
def test_down_leaves_nothing(place):
    directory, options, _ = place
    done = demo("down", *options)
    assert done.returncode == 0, done.stderr + done.stdout
    assert not directory.exists()
    assert processes_with(str(directory)) == []
    again = demo("down", *options)
    assert (again.returncode, again.stderr) == (1, f"demo: there is no demo in {directory}\n")


def test_it_takes_no_directory_with_a_strangers_files(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    done = demo("--dir", str(tmp_path), "--images", str(tmp_path / "images"))
    assert done.returncode == 1
    assert done.stderr.endswith("is not empty and not the demo's: choose another --dir\n")
    assert demo("down", "--dir", str(tmp_path)).returncode == 1
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]
