"""What a server hears of a kernel's checkpoint, what it tells the agent, and what pages are told."""

import datetime
import json
from types import SimpleNamespace

import pytest
from support.launches import HELLO, READY

from jupyter_hpcctr.core.job import JobId, JobState, JobStatus
from jupyter_hpcctr.core.life.effects import Say
from jupyter_hpcctr.core.life.words import words
from jupyter_hpcctr.core.request import KernelRequest
from jupyter_hpcctr.launch import LaunchView, news
from jupyter_hpcctr.launch.allocation import Allocation
from jupyter_hpcctr.launch.observers import Observers
from jupyter_hpcctr.launch.progress import Progress, first_view
from jupyter_hpcctr.server.board import Row, described

SAID = {"state": "registered", "runs": 3300.0, "before_s": 300.0, "at": None, "error": "", "restore": None}


@pytest.fixture
def made():
    told, commands = [], []
    link = SimpleNamespace(command=lambda key, **what: commands.append(what))
    hub = SimpleNamespace(link=link, scheduler=lambda name: None)
    plan = SimpleNamespace(scheduler="slurm")
    listener = SimpleNamespace(tell=lambda event: None, checkpoint=lambda *what: told.append(what))
    return SimpleNamespace(it=Allocation(hub, plan, 1, listener), told=told, commands=commands)


def running(end, state=JobState.RUNNING):
    return JobStatus(JobId("7"), state, end_time=end)


def test_what_the_agent_says_is_told_with_the_number_of_the_submission(made):
    for each in (SAID, {**SAID, "state": "none"}, {**SAID, "state": "none", "restore": ""}):
        made.it._from_agent(b"event", [json.dumps({"event": "checkpoint", **each}).encode()])
    assert made.told == [(1, SAID), (1, None), (1, {**SAID, "state": "none", "restore": ""})]


@pytest.mark.parametrize("changes", [{"state": "of a newer release"}, {"runs": "soon"}])
def test_what_cannot_be_read_is_no_news(changes):
    with pytest.raises(ValueError):
        news.of_checkpoint({**SAID, **changes})


def test_the_agent_is_told_once_of_each_end_that_the_scheduler_says(made):
    ends = "2026-03-02T10:00:00"
    for status in (
        running(ends), running(ends), running("2026-03-02T11:00:00"), running("Unknown"), running(None),
        running("2026-03-02T12:00:00", JobState.PENDING),
    ):  # fmt: skip
        made.it._on_status(status, requeued=False)
    at = datetime.datetime.fromisoformat(ends).timestamp()
    assert made.commands == [{"command": "ends", "at": at}, {"command": "ends", "at": at + 3600}]


def test_pages_are_told_when_it_runs_with_the_offset_of_the_clock():
    told = described(Row(LaunchView("a", checkpoint={**SAID, "runs": 0.0}), None))["checkpoint"]
    assert datetime.datetime.fromisoformat(told["runs"]).timestamp() == 0
    assert {**told, "runs": 3300.0} == SAID
    assert described(Row(LaunchView("a"), None))["checkpoint"] is None


def test_a_launch_knows_the_checkpoint_of_its_own_job_alone(launched):
    async def scenario(launch, seen):
        launch.tell(HELLO)
        launch.tell(READY)
        launch.checkpoint(2, SAID)
        assert launch.view.checkpoint is None
        launch.checkpoint(1, SAID)
        assert launch.view.checkpoint == SAID

    launched(scenario)


def test_a_kernel_that_is_to_come_again_has_no_checkpoint():
    progress = Progress(Observers(), SimpleNamespace(say=lambda text: None), first_view("a", "", KernelRequest()))
    status = JobStatus(JobId("7"), JobState.PENDING)
    progress.tell(state="running", checkpoint=SAID)
    progress.carry_out(Say("pending", words("requeued", status=status), status=status))
    assert progress.view.checkpoint is None
