"""Whose variables a kernel and its ranks have: the job's before the image's, and no token of either."""

import json
import os
from pathlib import Path

import pytest
from support.notebooks import Notebook, by_rank

from jupyter_hpcctr.downscale.layout import Layout

TOKEN = "SLURM_MY_TOKEN"
TWO_NODES = {"scheduler": "slurm", "nodes": 2, "ntasks_per_node": 1}


@pytest.fixture
def prolog(slurm):
    """Every task of a job gets a token of its prolog, as some sites hand them out."""
    script = Layout(slurm.directory).task_prolog
    before = script.read_text()
    first, _, rest = before.partition("\n")
    script.write_text(f'{first}\necho "export {TOKEN}=s3cret"\n{rest}')
    yield
    script.write_text(before)


@pytest.fixture
def store(tmp_path, mpi_image):
    """A store whose image sets what is the job's to set."""
    original = Path(mpi_image.path)
    copy = tmp_path / "store"
    for name in ("sha256", "refs"):
        (copy / name).mkdir(parents=True)
    for path in original.parents[1].glob("refs/*.json"):
        (copy / "refs" / path.name).write_text(path.read_text())
    os.link(original, copy / "sha256" / original.name)
    record = json.loads(original.with_suffix(".json").read_text())
    record["env"] |= {"SLURM_JOB_ID": "1", "SLURM_JOB_NODELIST": "image", "OMP_PROC_BIND": "image", "UCX_TLS": "image"}
    (copy / "sha256" / original.name).with_suffix(".json").write_text(json.dumps(record))
    return copy


def everywhere(notebook, name):
    """A variable in the kernel, and in a program on each node."""
    said = by_rank(notebook.cell(f"%mpirun run -n 2 sh -c 'echo $SLURMD_NODENAME [${name}]'"))
    places = [line.split() for lines in said.values() for line in lines]
    assert sorted(node for node, _ in places) == ["n1", "n2"]
    return [notebook.running.value(f"'[' + __import__('os').environ.get('{name}', '') + ']'"), *(v for _, v in places)]


def test_a_token_that_a_prolog_sets_is_in_no_bare_kernel_and_in_no_rank_of_it(site, start, prolog):
    notebook = Notebook(start(engine="bare", **TWO_NODES))
    assert everywhere(notebook, TOKEN) == ["[]"] * 3
    assert everywhere(notebook, "SLURM_JOB_ID") == [f"[{notebook.running.launch.job}]"] * 3


def test_the_jobs_variables_win_over_the_images_in_the_kernel_and_on_every_node(site, start, store, mpi_image, prolog):
    site.configure(store=str(store))
    running = start(image=mpi_image.reference, **TWO_NODES)
    notebook = Notebook(running)
    assert everywhere(notebook, "SLURM_JOB_ID") == [f"[{running.launch.job}]"] * 3
    assert everywhere(notebook, TOKEN) == ["[]"] * 3
    assert everywhere(notebook, "OMP_PROC_BIND") == ["[image]"] * 3, "the job says nothing of it"
    assert everywhere(notebook, "UCX_TLS") == ["[sysv,self]"] * 3, "the cluster's own prolog says it"
    assert [reason for reason in running.launch.plan.reasons if "UCX_TLS: the job's values come first" in reason]
