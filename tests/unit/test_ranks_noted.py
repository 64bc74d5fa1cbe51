"""Processes that are noted, and killed when nobody who has started them is left."""

import os
import subprocess
import sys

from support.waiting import state_of, wait_until

from jupyter_hpcctr.ranks.noted import Noted

FAMILY = """
import subprocess, sys
child = subprocess.Popen(["sleep", "4321"], start_new_session=True, env={})
print(child.pid, flush=True)
sys.stdin.read()
"""


def test_what_a_process_has_started_ends_also_when_that_process_is_gone():
    with subprocess.Popen([sys.executable, "-c", FAMILY], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        left = int(process.stdout.readline())
        noted = Noted()
        noted.look(process.pid, 0)
        process.kill()
        process.wait()
        assert state_of(left) == "S"
        noted.kill()
        wait_until(lambda: state_of(left) in "ZXgone", left)
        noted.close()


def descriptors_of_processes():
    links = (os.path.realpath(f"/proc/self/fd/{each}") for each in os.listdir("/proc/self/fd"))
    return sum("[pidfd]" in link for link in links)


SHELL = """sh -c 'echo; read line; setsid env -i sleep 4321 & echo $!; read line'; exit"""


def test_what_a_process_that_is_noted_starts_later_is_noted_too():
    with subprocess.Popen(["sh", "-c", SHELL], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell:
        assert shell.stdout.readline() == b"\n"
        noted = Noted()
        noted.look(shell.pid)  # the inner shell, which has started nothing yet
        shell.stdin.write(b"\n")
        shell.stdin.flush()
        left = int(shell.stdout.readline())
        noted.look(shell.pid)
        assert state_of(left) in "RSD"
        noted.kill()
        wait_until(lambda: state_of(left) in "ZXgone", left)
        noted.close()


def test_what_has_ended_is_forgotten_and_descriptors_are_closed():
    before = descriptors_of_processes()
    noted = Noted()
    with subprocess.Popen(["sleep", "4321"]) as child:
        noted.look(os.getpid())
        assert len(noted._descriptors) >= 1
        child.kill()
    noted.look(os.getpid())
    assert child.pid not in noted._descriptors
    noted.close()
    assert descriptors_of_processes() == before


def test_a_process_with_more_children_than_can_be_noted_is_no_error(monkeypatch):
    monkeypatch.setattr("jupyter_hpcctr.ranks.noted.MOST", 1)
    noted = Noted()
    children = [subprocess.Popen(["sleep", "4321"]) for _ in range(3)]
    noted.look(os.getpid())
    assert len(noted._descriptors) == 1
    noted.close()
    for child in children:
        child.kill()
        child.wait()
