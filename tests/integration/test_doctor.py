"""Jobs and files that nobody has: a real Slurm, the command line, and a server that starts."""

import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from support.programs import killed
from support.waiting import wait_until

BARE = {"engine": "bare", "scheduler": "slurm"}
COMMAND = (sys.executable, "-m", "jupyter_hpcctr.cli.main", "doctor")


@pytest.fixture
def orphan(site):
    """A running job whose program was killed, and whose record is lost: the number of the job."""
    site.kernelspec("bare", **BARE)
    killed(site)
    (job,) = site.queue()
    for each in site.state.glob("kernels/*"):
        shutil.rmtree(each)
    yield job.split()[0]
    subprocess.run(["scancel", "--quiet", job.split()[0]], check=False)


def doctor(*words, **env):
    """Exit status, and what it says."""
    env = {**os.environ, **env}
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=100, check=False, env=env)
    assert not done.stderr
    return done.returncode, done.stdout


def grown_old(site):
    """Let the files that are left look as if nobody had written them for two hours."""
    then = time.time() - 7200
    for each in (*site.state.glob("jobs/*/*"), *site.state.glob("jobs/*")):
        os.utime(each, (then, then))


def test_nothing_is_wrong_at_a_site_that_works(site):
    assert doctor() == (0, "Nothing is wrong.\n")


def test_a_job_that_nobody_has_is_shown_with_the_words_that_cancel_it_and_cancelled(site, orphan):
    status, said = doctor()
    assert status == 1
    assert said.startswith(f"job: slurm job {orphan} belongs to no recorded kernel")
    assert f"scancel --quiet {orphan}\n" in said
    found = json.loads(doctor("--json")[1])
    assert (found["kind"], found["scheduler"], found["job"]) == ("job", "slurm", orphan)
    assert doctor("--remove")[1].startswith(f"cancelled: slurm job {orphan}")
    wait_until(lambda: site.queue() == [], "the job's end")
    assert doctor() == (0, "Nothing is wrong.\n"), "its files are too young to be thrown away"
    grown_old(site)
    assert doctor("--remove")[1].startswith("removed: ")
    assert list(site.state.glob("jobs/*")) == []


def test_a_server_that_starts_removes_what_is_left_and_nothing_else(site, orphan, serve):
    grown_old(site)
    server = serve()
    wait_until(lambda: f"slurm job {orphan} belongs to no recorded kernel" in server.log, "the line in the log")
    assert len(list(site.state.glob("jobs/*"))) == 1, "it has a job"
    server.stop()
    doctor("--remove")
    wait_until(lambda: site.queue() == [], "the job's end")
    grown_old(site)
    server = serve()
    wait_until(lambda: not list(site.state.glob("jobs/*")), "the files' end")
    assert "removed: " in server.log


def test_a_scheduler_that_is_not_there_is_said(site):
    site.configure(schedulers=["slurm"])
    status, said = doctor(PATH=str(site.directory))
    assert status == 1
    assert said.startswith("scheduler: slurm does not answer: ")
