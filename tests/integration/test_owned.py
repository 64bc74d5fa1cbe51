"""No job without an owner: submissions whose outcome is not known, and jobs that are requeued; on a real Slurm."""

import functools
import json
import os
import shutil
import subprocess
import time

import pytest

from jupyter_hpcctr.delivery.kept import Kept
from jupyter_hpcctr.edge import process

BARE = {"engine": "bare", "scheduler": "slurm"}


def until(met, *, seconds=60):
    end = time.monotonic() + seconds
    while not (found := met()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found


@pytest.fixture
def slow_sbatch(site, monkeypatch):
    """Submissions that reach Slurm and have no answer in time."""
    directory = site.directory / "bin"
    directory.mkdir()
    (directory / "sbatch").write_text(f'#!/bin/sh\n{shutil.which("sbatch")} "$@"\nexec sleep 100\n')
    (directory / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    monkeypatch.setattr(process, "run", functools.partial(process.run, timeout_s=5.0))


def test_a_job_whose_submission_had_no_answer_is_found_and_used(slow_sbatch, site, start):
    kernel = start(**BARE)
    assert kernel.value("1 + 1") == 2
    (line,) = site.queue()
    assert until(lambda: kernel.launch.job) == line.split()[0]
    assert until(lambda: kernel.launch.view.job) == kernel.launch.job
    kernel.stop()
    assert site.left_behind() == []


def test_a_waiting_job_whose_submission_had_no_answer_is_cancelled_at_shutdown(full, slow_sbatch, site, start):
    kernel = start(**BARE)
    until(lambda: kernel.launch.job)
    kernel.stop()
    assert [line.split()[2] for line in site.queue()] == ["full"]


def test_a_requeued_job_is_followed_and_waiting_cells_run_in_it(site, start):
    kernel = start(**BARE)
    job = kernel.launch.job
    kernel.value("1")
    kernel.begun("import time; time.sleep(600)")
    subprocess.run(["scontrol", "update", f"JobId={job}", "Requeue=1"], check=True)
    subprocess.run(["scontrol", "requeue", job], check=True)
    content = kernel.client.get_shell_msg(timeout=90)["content"]
    assert (content["ename"], "put back into the queue" in content["evalue"]) == ("JobRequeued", True)
    assert kernel.manager.is_alive()
    until(lambda: f"{job} PENDING" in " ".join(site.queue()))
    hasten = ["scontrol", "update", f"JobId={job}", "StartTime=now"]
    until(lambda: subprocess.run(hasten, check=False).returncode == 0)
    assert kernel.value("1 + 1") == 2
    assert kernel.launch.job == job
    assert kernel.launch.view.state == "running"


def test_an_agent_tells_a_server_that_does_not_know_it_what_it_is_at(site, start):
    kernel = start(engine="bare", scheduler="local")
    kernel.value("1")  # it is there: what is restarted while it waits is started once
    kernel.manager.restart_kernel(now=True)
    kernel.client.wait_for_ready(timeout=60)
    kernel.value("1")
    hub, key, told = kernel.manager.provisioner._hub, kernel.launch._allocation._key, []

    def hear(channel, frames):
        if channel == b"event":
            told.append(json.loads(frames[0]))

    async def forget():
        hub.link.dismiss(key)
        hub.link.admit(key, hear, Kept(str(site.directory / "kept")))

    hub.edge.wait(forget())
    hello = until(lambda: next((each for each in told if each["event"] == "hello"), None))
    assert (hello["start"], hello["ready"]) == (2, True)
    assert hello["run"] and hello["age_s"] > 0
