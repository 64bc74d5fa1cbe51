"""The demo, run as people run it: from built images to an executed notebook, twice, and to nothing left."""

import re
import subprocess
import sys
import time

import nbformat
import pytest
from support.images import CHECKOUT, ENVIRONMENT, image_cache
from support.kernels import processes_with
from support.slurm import short_directory

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
    for phase in ("submitted", "node up", "image ready", "kernel ready", "first cell done"):
        assert re.search(rf"^  {phase} +\d+\.\d\d +\d+\.\d\d$", done.stdout, re.MULTILINE)


@pytest.mark.slurm
@pytest.mark.image
@pytest.mark.timeout(900)
def test_a_second_run_is_short_and_what_it_tells_people_to_do_works(place):
    directory, options, _ = place
    before = time.monotonic()
    done = demo(*options)
    assert done.returncode == 0, done.stderr + done.stdout
    assert time.monotonic() - before < 30
    exports = re.findall(r"^ +(export .*)$", done.stdout, re.MULTILINE)
    lab = next(line for line in done.stdout.splitlines() if line.endswith("/notebooks/hello.ipynb")).split()
    script = "\n".join([*exports, "sinfo --noheader", "jupyter kernelspec list", f"{lab[0]} --version"])
    clean = {name: ENVIRONMENT[name] for name in ("HOME", "PATH")}
    told = subprocess.run(["sh", "-ec", script], env=clean, capture_output=True, text=True, timeout=60)
    assert told.returncode == 0, told.stderr
    assert "hpcctr-demo" in told.stdout
    assert (directory / "notebooks" / "hello.ipynb").exists()


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
