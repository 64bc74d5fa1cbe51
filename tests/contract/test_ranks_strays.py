"""What a rank starts in sessions of its own ends with the rank, whichever way that ends."""

import os
import signal
import subprocess
import sys

import pytest
from support.relays import W1, relayed, shell
from support.waiting import state_of

from jupyter_hpcctr.ranks import strays

DAEMON = "setsid ENV sh -c 'echo $$; exec sleep 4321' & "
TWICE = "setsid ENV sh -c 'setsid sh -c \"echo \\$\\$; exec sleep 4321\" & exit' & "


@pytest.fixture
def node():
    with relayed() as made:
        yield made


def started(node, script, *, clean, then="exec sleep 1000"):
    """Start a rank that starts a daemon; return the rank's wrapper and the daemon's process id."""
    env = f"env -i PATH={os.environ['PATH']}" if clean else "env"
    (wrapper,) = node.start(shell(script.replace("ENV", env) + then))
    node.until(lambda: node.pids() and "\n" in node.printed())
    pid = int(node.printed())
    assert os.getsid(pid) == pid
    return wrapper, pid


def is_over(pid):
    return state_of(pid) in "ZXgone"


def rank_ends(node, _wrapper):
    (node.directory / "go").touch()


def rank_is_killed(node, _wrapper):
    os.kill(node.pids()[0], signal.SIGKILL)


def wrapper_is_told_to_end(_node, wrapper):
    wrapper.terminate()


def relay_kills(node, _wrapper):
    node.relay.kill(W1)


@pytest.mark.parametrize("script", [DAEMON, TWICE], ids=["once", "twice"])
@pytest.mark.parametrize("clean", [False, True], ids=["own environment", "no environment"])
@pytest.mark.parametrize("end", [rank_ends, rank_is_killed, wrapper_is_told_to_end, relay_kills])
def test_a_daemon_ends_with_the_rank_that_has_started_it(node, script, clean, end):
    wrapper, pid = started(node, script, clean=clean, then="until [ -e go ]; do sleep 0.01; done")
    end(node, wrapper)
    node.until(node.gone)
    assert is_over(pid), "it was there when the rank's end was told"


def test_a_daemon_ends_where_the_wrapper_is_killed(node):
    """As some launchers do: nobody is its ancestor then, and it is known by its environment."""
    wrapper, pid = started(node, DAEMON, clean=False)
    wrapper.kill()
    node.until(node.gone)
    node.until(lambda: is_over(pid))


@pytest.fixture
def sleep():
    """Start processes with more variables in their environment."""
    running = []

    def start(**env):
        running.append(subprocess.Popen(["sleep", "4321"], env={**os.environ, **env}))
        return running[-1]

    yield start
    for each in running:
        each.kill()
        each.wait()


def test_a_daemon_of_a_program_that_ended_before_ends_with_its_world(node, sleep):
    """Without a subreaper it has nobody: a Python without ctypes, for example."""
    daemon, other = sleep(HPCCTR_WORLD=W1), sleep(HPCCTR_WORLD=f"{W1}0")
    node.relay.expect({"world": W1, "ranks": 1, "argv": []})
    node.relay.forget(W1)
    assert daemon.wait(30) == -signal.SIGKILL
    assert other.poll() is None


def test_a_job_that_a_rank_has_submitted_is_none_of_its_processes(monkeypatch, sleep):
    """sbatch(1) hands on the environment."""
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    monkeypatch.setattr(strays, "_jobs", [])
    strays.spare_jobs("SLURM_JOB_ID")
    job, daemon = sleep(HPCCTR_WORLD=W1, SLURM_JOB_ID="2"), sleep(HPCCTR_WORLD=W1)
    strays.end(W1)
    assert daemon.wait(30) == -signal.SIGKILL
    assert job.poll() is None


def test_children_that_a_rank_leaves_and_that_end_by_themselves_are_no_zombies(node):
    script = """
import os, subprocess, sys, time
leaves = "import os; pid = os.fork(); pid and print(pid, flush=True)"
pids = [subprocess.check_output([sys.executable, "-S", "-E", "-c", leaves], text=True).strip() for _ in range(5)]
print(*pids, flush=True)
time.sleep(1000)
"""
    node.start([sys.executable, "-c", script])
    node.until(lambda: "\n" in node.printed())
    pids = [int(pid) for pid in node.printed().split()]
    assert len(pids) == 5
    node.until(lambda: {state_of(pid) for pid in pids} == {"gone"})
