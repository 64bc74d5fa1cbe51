"""What is found of kernels that nobody has: records and files on a disk, beside a scheduler that the test plays."""

import asyncio
import json
import os
import socket
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from jupyter_hpcctr.core.facts import Policy
from jupyter_hpcctr.core.job import Command, JobId, JobState, JobStatus, Output
from jupyter_hpcctr.core.life import Life
from jupyter_hpcctr.core.questions import replayed
from jupyter_hpcctr.core.request import KernelRequest
from jupyter_hpcctr.errors import SchedulerUnreachable
from jupyter_hpcctr.launch import reaper, record
from jupyter_hpcctr.launch.keeper import LOCK, Claim
from jupyter_hpcctr.launch.record import Kernel, Record
from jupyter_hpcctr.launch.view import LaunchView

HERE = socket.gethostname()


class Queue:
    """A scheduler whose jobs are ``tokens``; with ``silent`` it does not answer."""

    def __init__(self):
        self.tokens, self.ended, self.cancelled, self.silent = {}, set(), [], False

    def find(self, tokens):
        yield Command(("find",))
        if self.silent:
            raise SchedulerUnreachable("no controller", hint="wait")
        return {token: JobId(job) for token, job in self.tokens.items()}

    def query(self, jobs):
        yield Command(("query", *jobs))
        states = {job: JobState.ENDED if job in self.ended else JobState.RUNNING for job in self.tokens.values()}
        return {JobId(job): JobStatus(JobId(job), state) for job, state in states.items()}

    def cancel(self, jobs):
        yield Command(("cancel-it", *jobs))


class World:
    """A state directory, and the queue."""

    def __init__(self, state):
        self.state, self.queue = state, Queue()
        self.policy = Policy(state_dir=str(state), schedulers=("slurm",))

    def scheduler(self, name):
        return self.queue

    async def run(self, name, asking):
        return replayed(asking, Output(0, "", ""))

    async def cancel(self, name, job):
        self.queue.cancelled.append((name, job))
        return True

    def files(self, token, *, host=HERE, age_s=2 * reaper.OLD_S):
        """A job's directory as a launch makes it."""
        directory = self.state / "jobs" / token
        directory.mkdir(parents=True, mode=0o700)
        directory.parent.chmod(0o700)
        agent = directory / "agent.json"
        agent.write_text(json.dumps({"host": host, "scheduler": "slurm"}))
        agent.chmod(0o600)
        then = time.time() - age_s
        for each in (agent, directory):
            os.utime(each, (then, then))
        return directory

    def record(self, name, *, age_s=2 * reaper.OLD_S, root="", **kernel):
        """A kernel's record without any job of it."""
        known = Kernel(**{"id": f"k-{name}", "name": "spec", "host": HERE, "pid": 1, "root": root, **kernel})
        was = Record(known, name, "/", "key", KernelRequest(), Life(), {}, LaunchView(name))
        directory = self.state / "kernels" / known.id
        record.write(directory, was)
        then = time.time() - age_s
        os.utime(directory / record.NAME, (then, then))
        return directory

    def look(self, *schedulers):
        return asyncio.run(reaper.examine(self, schedulers))

    def found(self, *schedulers):
        return [(each.kind, each.sure) for each in self.look(*schedulers)]

    def remove(self):
        return [asyncio.run(reaper.remove(self, each)).done for each in self.look("slurm")]


@pytest.fixture
def world(tmp_path):
    (tmp_path / "state").mkdir(mode=0o700)
    return World(tmp_path / "state")


def test_nothing_is_wrong_where_there_is_nothing(world):
    assert world.look("slurm") == []


def test_old_files_without_record_and_job_are_removed(world):
    directory = world.files("aaa-1")
    assert world.found() == [("files", True)]
    asyncio.run(reaper.reap(world))
    assert not directory.exists()


@pytest.mark.parametrize(
    "kept", [{"age_s": 60}, {"host": "another"}, {"host": ""}], ids=["young", "of another host", "of nobody knows"]
)
def test_files_that_somebody_may_need_are_left_alone(world, kept):
    directory = world.files("aaa-1", **kept)
    asyncio.run(reaper.reap(world))
    assert directory.exists()
    assert world.found() == ([] if "age_s" in kept else [("files", False)])


def test_the_files_of_a_recorded_launch_are_its_own(world):
    world.files("aaa-1")
    world.record("aaa", age_s=0)
    assert world.look("slurm") == []


def test_nothing_is_removed_beside_a_record_that_cannot_be_read(world):
    directory = world.files("aaa-1")
    (world.record("bbb") / record.NAME).write_text("{")
    found = world.look()
    assert [(each.kind, each.sure) for each in found] == [("record", False), ("files", False)]
    assert "cannot be read" in found[0].what
    asyncio.run(reaper.reap(world))
    assert directory.exists()


def test_nothing_is_known_while_the_scheduler_does_not_answer(world):
    directory = world.files("aaa-1")
    world.queue.silent = True
    (found,) = world.look()
    assert (found.kind, found.what) == ("scheduler", "slurm does not answer: no controller")
    asyncio.run(reaper.reap(world))
    assert directory.exists()


def test_a_command_that_hangs_is_a_scheduler_that_does_not_answer(world):
    async def hang(name, asking):
        raise SchedulerUnreachable("squeue took too long")

    world.files("aaa-1")
    world.run = hang
    assert world.found() == [("scheduler", False)]


def test_a_job_without_a_record_is_shown_and_cancelled_only_when_asked_to(world):
    directory = world.files("aaa-1")
    world.queue.tokens["aaa-1"] = "12"
    asyncio.run(reaper.reap(world))
    assert directory.exists() and not world.queue.cancelled
    (found,) = world.look()
    assert "slurm job 12 belongs to no recorded kernel" in found.what and "cancel-it 12" in found.hint
    assert world.remove() == [True]
    assert world.queue.cancelled == [("slurm", "12")]


def test_a_job_of_another_state_directory_is_shown_and_never_cancelled(world):
    world.queue.tokens["aaa-1"] = "12"
    (found,) = world.look("slurm")
    assert "cancel-it 12" in found.hint
    assert world.remove() == [False]
    assert not world.queue.cancelled


def test_a_job_that_has_ended_is_no_job(world):
    world.files("aaa-1")
    world.queue.tokens |= {"aaa-1": "12", "bbb-1": "13"}
    world.queue.ended |= {"12", "13"}
    assert world.found("slurm") == [("files", True)]


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ({"age_s": 60}, []),
        ({}, [("kernel", False)]),
        ({"age_s": 2 * reaper.FORGOTTEN_S}, [("kernel", True)]),
        ({"age_s": 2 * reaper.FORGOTTEN_S, "root": "/home/me"}, [("kernel", False)]),
        ({"age_s": 2 * reaper.FORGOTTEN_S, "host": "another"}, [("kernel", False)]),
    ],
    ids=["just now", "today", "a program's, long ago", "a notebook's", "on another host"],
)
def test_a_kernel_that_has_ended_while_nobody_had_it(world, kept, said):
    world.record("aaa", **kept)
    assert world.found("slurm") == said


def test_a_dead_kernel_is_removed_with_its_files(world):
    directory, job = world.record("aaa"), world.files("aaa-1")
    other = world.files("bbb-1", age_s=0)
    assert world.remove() == [True]
    assert not directory.exists() and not job.exists() and other.exists()


def test_a_kernel_whose_process_lives_is_not_dead(world):
    directory = world.record("aaa")
    claim = Claim(directory)
    assert world.look("slurm") == []
    claim.release()
    assert (directory / LOCK).exists()


def test_a_kernel_with_a_job_in_the_queue_is_not_dead(world):
    was = record.read(world.record("aaa"))
    assert was.jobs == {}
    plan = SimpleNamespace(scheduler="slurm")
    held = SimpleNamespace(name="aaa", kernel=was.kernel, session=None, jobs={1: SimpleNamespace(plan=plan, job=None)})
    alive = reaper._Answer({"aaa-1": JobId("12")}, frozenset({JobId("12")}))
    ended = reaper._Answer({"aaa-1": JobId("12")}, frozenset())
    state = str(world.state)
    assert list(reaper._dead(state, [held], {"slurm": alive})) == []
    assert list(reaper._dead(state, [held], {})) == [], "its scheduler has not answered"
    assert [each.kind for each in reaper._dead(state, [held], {"slurm": ended})] == ["kernel"]


def test_a_state_directory_that_others_can_enter_is_all_that_is_said(world):
    world.files("aaa-1")
    world.state.chmod(0o755)
    (found,) = world.look("slurm")
    assert found.kind == "state" and "0700" in found.what


def test_a_state_directory_that_is_full_is_said(world, monkeypatch):
    def full(path, text):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(reaper.files, "write_private", full)
    (found,) = world.look("slurm")
    assert found.what == f"{world.state} cannot be written: No space left on device"
    assert list(Path(world.state).iterdir()) == []
