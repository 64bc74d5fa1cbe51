"""A submission, its job and its agent: the scheduler and the agent are not real here."""

import asyncio
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from jupyter_hpcctr.core.job import Command, Ending, JobId, JobState, JobStatus, Output
from jupyter_hpcctr.core.life import events as on
from jupyter_hpcctr.core.questions import replayed
from jupyter_hpcctr.launch import allocation as allocations
from jupyter_hpcctr.launch.allocation import Allocation

PENDING = JobStatus(JobId("7"), JobState.PENDING)


def said(**event):
    return [json.dumps(event).encode()]


class Hub:
    """Stands for the hub, its scheduler, its link and its watch, and notes what is asked of them."""

    def __init__(self):
        self.asked, self.settled = [], []
        self.link = self

    def scheduler(self, name):
        return self

    def watch(self, name):
        return self

    async def run(self, name, asking):
        return replayed(asking, Output(0, "7", ""))

    def submit(self, spec):
        assert spec == "the job"
        return JobId((yield Command(("submit",))).stdout)

    async def seek(self, name, token):
        self.asked.append(("seek", token))
        return JobId("8")

    async def settle(self, job):
        return self.settled.pop(0)

    def command(self, key, **what):
        self.asked.append(("command", what))

    def __getattr__(self, name):
        return lambda *args: self.asked.append((name, *args))


@pytest.fixture
def made(tmp_path, monkeypatch):
    hub, told = Hub(), []

    async def entrust(hub, plan, keys, kernel_key, receiver):
        hub.asked.append(("admit", keys.public))

    monkeypatch.setattr(allocations, "entrust", entrust)
    monkeypatch.setattr(allocations, "ASK_S", 0.0)
    resources = SimpleNamespace(time_minutes=1, nodes=1)
    plan = SimpleNamespace(scheduler="slurm", job="the job", job_dir=str(tmp_path / "abc-1"), resources=resources)
    listener = SimpleNamespace(tell=told.append, from_kernel=lambda *what: told.append(what))
    return SimpleNamespace(hub=hub, told=told, it=Allocation(hub, plan, 1, listener), directory=tmp_path / "abc-1")


def test_what_was_planned_is_submitted(made):
    asyncio.run(made.it.submit())
    assert made.it.job == "7"


def test_a_job_is_sought_by_the_name_of_its_directory(made):
    assert asyncio.run(made.it.seek())
    assert (made.it.job, made.hub.asked) == ("8", [("seek", "abc-1")])


def test_what_the_agent_says_is_told_with_the_number_of_the_submission(made):
    agent = made.it._from_agent
    agent(b"event", said(event="hello", host="n1", age_s=0.5, run="a", start=2, ready=True))
    agent(b"event", said(event="image"))
    agent(b"event", said(event="ready", start=1, info={}))
    agent(b"event", said(event="exited", start=1, code=-9, ready=True))
    agent(b"event", said(event="failed", why="no"))
    agent(b"event", said(event="of a newer release"))
    agent(b"silence", [])
    agent(b"heard", [])
    agent(b"event", said(event="bye", why="no"))
    agent(b"iopub", ["frame"])
    assert made.told == [
        on.Hello(1, "n1", 0.5, "a", 2, ready=True), on.ImageReady(1), on.Ready(1, 1), on.Exited(1, 1, -9, ready=True),
        on.Failed(1, "no"), on.Silent(1), on.Heard(1), on.Bye(1, "no"), (1, "iopub", ["frame"]),
    ]  # fmt: skip


@pytest.mark.parametrize("quick", [True, False])
def test_a_job_whose_agent_was_heard_runs_whichever_of_both_is_known_first(made, quick):
    made.it.job = None if quick else JobId("7")
    made.it._from_agent(b"event", said(event="hello", host="n1", age_s=0.0))
    made.it.job = JobId("7")
    made.it.follow()
    assert [each[0] for each in made.hub.asked if each[0] != "poke"] == (
        ["add", "runs"] if quick else ["runs", "add", "runs"]
    )


def test_what_the_scheduler_says_is_told(made):
    for state, requeued in ((1, False), (2, False), (3, False), (1, True)):
        made.it._on_status(JobStatus(JobId("7"), JobState(state)), requeued=requeued)
    assert [type(each) for each in made.told] == [on.Pending, on.Running, on.Ended, on.Requeued]


def test_an_end_is_asked_for_until_it_is_there(made):
    ended = JobStatus(JobId("7"), JobState.ENDED)
    made.hub.settled = [None, JobStatus(JobId("7"), JobState.RUNNING), ended]
    made.it.job = JobId("7")

    async def main():
        made.it.ask(ended=True)
        await made.it._asking

    asyncio.run(main())
    assert made.told == [on.Ended(1, ended)]


def test_commands_have_the_names_that_agents_know(made):
    made.it.command("restart", 2)
    made.it.command("signal", 15)
    made.it.command("end", 0)
    assert [what for _, what in made.hub.asked] == [
        {"command": "restart", "start": 2}, {"command": "signal", "signum": 15}, {"command": "end"},
    ]  # fmt: skip


def test_a_record_that_is_written_before_the_submission_has_the_key_by_which_the_agent_is_let_in(made):
    noted = made.it.submission.agent
    asyncio.run(made.it.entrust("secret"))
    assert made.hub.asked == [("admit", noted)]


@pytest.mark.parametrize("ending", [Ending.FAILED, Ending.TIMEOUT])
def test_the_log_of_a_job_that_failed_is_asked_for_the_reason(made, monkeypatch, ending):
    monkeypatch.setattr(made.hub, "last_words", lambda status, log: replace(status, reason=log), raising=False)
    made.it.plan.log_file = str(made.directory.parent / "job.log")
    (made.directory.parent / "job.log").write_text("its last words\n")

    async def main():
        made.it._on_status(JobStatus(JobId("7"), JobState.ENDED, ending=ending), requeued=False)
        while not made.told:
            await asyncio.sleep(0.01)

    asyncio.run(main())
    assert made.told[0].status.reason == ("its last words" if ending is Ending.FAILED else "")


def test_what_is_discarded_is_let_in_no_more_and_its_files_are_gone(made):
    made.directory.mkdir()

    async def main():
        await made.it.entrust("secret")
        await made.it.submit()
        await made.it.discard()

    asyncio.run(main())
    (key,) = (each[1] for each in made.hub.asked if each[0] == "admit")
    assert ("dismiss", key) in made.hub.asked and ("remove", "7") in made.hub.asked
    assert not made.directory.exists()
