"""A submitted job and its agent, where both say other things: the scheduler and the agent are not real here."""

import asyncio
import json
from types import SimpleNamespace

import pytest

from jupyter_hpcctr.errors import SchedulerUnreachable
from jupyter_hpcctr.launch import allocation as allocations
from jupyter_hpcctr.launch.allocation import Allocation

HELLO = [SimpleNamespace(bytes=json.dumps({"event": "hello"}).encode())]


class Hub:
    """Stands for the hub: a link on which all can be heard or none, and a scheduler whose answer is the test's."""

    def __init__(self, answer):
        self.answer, self.sent, self.dismissed, self.heard, self.alive = answer, [], [], True, None
        self.link = self

    def scheduler(self, name):
        return SimpleNamespace(submitted=lambda output: output)

    async def run(self, name, command):
        await asyncio.sleep(0)  # the agent is quicker
        self.hello(b"event", HELLO)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def watch(self, name):
        return self

    def poke(self):
        pass

    def add(self, job, listener, *, alive):
        self.alive = alive

    def remove(self, job):
        pass

    def command(self, key, **what):
        self.sent.append(what)
        return key not in self.dismissed

    def hears(self, key):
        return self.heard

    def dismiss(self, key):
        self.dismissed.append(key)


@pytest.fixture
def submit(monkeypatch, tmp_path):
    """Submit a job whose agent says hello before the scheduler's command returns."""
    plan = SimpleNamespace(
        scheduler="slurm",
        submit=None,
        job_dir=str(tmp_path / "job"),
        resources=SimpleNamespace(time_minutes=1, nodes=1),
    )

    def run(answer):
        hub = Hub(answer)

        async def entrust(hub, plan, kernel_key, receiver):
            hub.hello = receiver
            return "key"

        monkeypatch.setattr(allocations, "entrust", entrust)
        made = Allocation(hub, plan, SimpleNamespace(on_event=lambda event: None))
        return hub, made, made.submit("secret")

    return run


def test_an_agent_whose_submission_is_thought_to_have_failed_is_told_to_end(submit):
    hub, _, submitting = submit(SchedulerUnreachable("Socket timed out"))
    with pytest.raises(SchedulerUnreachable):
        asyncio.run(submitting)
    assert (hub.sent, hub.dismissed) == ([{"command": "end"}], ["key"])


def test_a_job_is_alive_while_its_agent_is_heard_and_not_for_having_been_heard_once(submit):
    hub, made, submitting = submit("7")
    asyncio.run(submitting)
    assert made.connected
    assert hub.alive()
    hub.heard = False
    assert not hub.alive()
