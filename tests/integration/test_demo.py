"""The demo, run as people run it: from built images to an executed notebook, twice, and to nothing left."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest
from support.images import CHECKOUT, ENVIRONMENT, image_cache
from support.kernels import processes_with
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


def outputs(directory):
    """What the executed notebook shows, each line once."""
    notebook = nbformat.read(directory / "notebooks" / "hello.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in cells)
    text = "".join(output.text for cell in cells for output in cell.outputs)
    return text.replace("\r\n", "\n")  # a "!" cell writes to a pseudoterminal


@pytest.mark.slurm
@pytest.mark.image
@pytest.mark.timeout(900)
def test_the_notebook_ran_in_the_image_on_a_node_and_its_ranks_agree(place):
    directory, _, done = place
    assert done.returncode == 0, done.stderr + done.stdout
    shown = outputs(directory)
    assert re.search(r"^node +n[12]$", shown, re.MULTILINE)
    assert re.search(r"^system +Debian GNU/Linux 12", shown, re.MULTILINE)
    assert "privileges cannot be gained" in shown
    assert "Read-only file system" in shown
    assert len(re.findall(r"^rank [0-3] of 4 on n[12], process \d+$", shown, re.MULTILINE)) == 4
    assert "sum of the ranks 6, pi 3.1415926536" in shown
    for line in shown.splitlines():
        assert line in done.stdout
    phases = re.findall(r"^  (\w[\w ]*?) +\d+\.\d\d +\d+\.\d\d$", done.stdout, re.MULTILINE)
    assert phases == ["submitted", "queued", "node up", "image ready", "kernel ready", "first cell done"]


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
        yield json.loads(text)["url"]
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
