"""A node of a job is lost: what is left of the job, with the words that the scheduler plug-in has for it."""

import json
import os
import signal
import sys

import pytest
from support.clusters import run
from support.slurm import slurm_jobs_of
from support.waiting import text, wait_for_file, wait_until

from jupyter_hpcctr.core.job import JobState
from jupyter_hpcctr.downscale.cluster import Cluster
from jupyter_hpcctr.protocol import words as gap
from jupyter_hpcctr.ranks.config import filled
from jupyter_hpcctr.schedulers.slurm import Slurm

IN_THE_JOB = """
import json, os, pathlib, subprocess, sys, time
words = json.loads(pathlib.Path("words").read_text())
start = lambda name: subprocess.Popen([*words[name], "sh", "-c", f"touch {name}-$SLURMD_NODENAME-$SLURM_LOCALID; "
                                       "exec sleep 600"], stdin=subprocess.PIPE, stderr=open(name + ".err", "w"))
running = {name: start(name) for name in ("both", "own", "nodes")}
running["nodes"].stdin.close()
while not pathlib.Path("lost").exists():
    time.sleep(0.05)
codes = {"both": running["both"].wait(60)}
again = subprocess.run([*words["own"], "true"], timeout=60).returncode
both = subprocess.run([*words["both"], "true"], timeout=60, capture_output=True, text=True)
found = {"both": codes["both"], "own": running["own"].poll(), "nodes": running["nodes"].poll(), "again": again,
         "both again": both.returncode, "said": both.stderr}
pathlib.Path("new").write_text(json.dumps(found))
os.rename("new", "found")
time.sleep(600)
"""


def step(number, nodes):
    count = len(nodes.split(","))
    gaps = {gap.RANKS: number, gap.NODES: count, gap.NODELIST: nodes, gap.CPUS: 1, gap.PMI: "none"}
    return filled(Slurm().steps().ranks, {**gaps, gap.OVERCOMMIT: "", gap.DIRECTORY: os.getcwd()})


@pytest.fixture
def three(place):
    """A cluster of three nodes with little patience."""
    cluster = Cluster.up(place, nodes=3, cpus=2)
    with slurm_jobs_of(cluster) as jobs:
        yield jobs


def test_a_lost_node_ends_what_runs_on_it_and_neither_the_job_nor_its_other_nodes(three, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    node_words = filled(Slurm().steps().nodes, {gap.NODES: 2, gap.NODELIST: "n2,n3", gap.DIRECTORY: tmp_path})
    words = {"both": step(4, "n1,n2"), "own": step(2, "n1"), "nodes": node_words}
    (tmp_path / "words").write_text(json.dumps(words))
    job = three.submit([sys.executable, "-c", IN_THE_JOB], tmp_path, nodes=3, ntasks=6)
    there = ("both-n1-1", "both-n2-1", "own-n1-1", "nodes-n2-0", "nodes-n3-0")
    wait_until(lambda: all((tmp_path / name).exists() for name in there), "the steps do not run")

    os.kill(three.cluster.status().pids["slurmd-n2"], signal.SIGKILL)
    run(three.cluster, "scontrol", "update", "NodeName=n2", "State=DOWN", "Reason=lost")  # as after SlurmdTimeout
    (tmp_path / "lost").touch()
    wait_for_file(tmp_path / "found", three, job)
    found = json.loads(text(tmp_path / "found"))
    assert "Node failure on n2" in text(tmp_path / "both.err")
    assert found.pop("both") != 0
    assert "not available" in found.pop("said")
    assert found == {"own": None, "nodes": None, "again": 0, "both again": 1}
    status = three.status(job)
    assert (status.state, status.nodes) == (JobState.RUNNING, "n[1,3]")
