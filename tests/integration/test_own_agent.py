"""Jobs whose nodes have a Python with pyzmq and nothing of ours: they carry what they need."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import zmq
from support.notebooks import Notebook

from jupyter_hpcctr.launch import carried, gather


@pytest.fixture
def without_us(tmp_path, monkeypatch):
    """Let the jobs of launches from now on be run by a Python that has pyzmq alone; return its path."""
    base = tmp_path / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(base)], check=True)
    (site_packages,) = base.glob("lib/python*/site-packages")
    there = Path(zmq.__file__).parent
    for each in (there, there.with_name("pyzmq.libs")):
        if each.exists():
            (site_packages / each.name).symlink_to(each)
    python = base / "bin" / "python"
    look = subprocess.run([python, "-c", "import zmq, jupyter_hpcctr"], capture_output=True, text=True)
    assert "No module named 'jupyter_hpcctr'" in look.stderr
    monkeypatch.setattr(sys.modules[gather.__module__], "sys", SimpleNamespace(executable=str(python)))
    return str(python)


def works(notebook, plan, python, ranks):
    assert python in " ".join((*plan.submit.argv, plan.submit.stdin))
    assert notebook.said("print('here')", f"-n {ranks}") == {rank: ["here"] for rank in range(ranks)}
    assert (Path(plan.job_dir) / "agent" / "agent.zip").is_file()


def test_a_job_that_waited_while_the_package_went_away_starts_its_kernel_and_its_ranks(
    full, site, start, mpi_image, image_policy, without_us
):
    site.configure(store=image_policy.store)
    kernel = start(image=mpi_image.reference, scheduler="slurm", nodes=2, ntasks_per_node=2)
    full()
    works(Notebook(kernel), kernel.launch.plan, without_us, 4)
    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(timeout=60)
    assert kernel.value("1 + 1") == 2


@pytest.mark.parametrize("image", [True, False], ids=["in an image", "bare"])
def test_a_job_of_the_local_scheduler_carries_its_agent_too(site, start, mpi_image, image_policy, without_us, image):
    site.configure(store=image_policy.store)
    how = {"image": mpi_image.reference} if image else {"engine": "bare", "python": sys.executable}
    kernel = start(**how, scheduler="local")
    loaded = kernel.value("[[n, getattr(m, '__file__', '')] for n, m in list(__import__('sys').modules.items())]")
    files = {file.rpartition("/guest/")[2] for name, file in loaded if name.startswith("_hpcctr_guest") and file}
    assert files <= set(carried.EARLY), "what is read while the kernel starts is laid out before it"
    assert files
    assert "jupyter_hpcctr" not in dict(loaded)
    if image:
        works(Notebook(kernel), kernel.launch.plan, without_us, 2)
