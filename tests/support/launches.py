"""Launches whose scheduler and agents are not real: what these say is the test's."""

import asyncio
from types import SimpleNamespace

import pytest

from jupyter_hpcctr.core.facts import Policy
from jupyter_hpcctr.core.job import JobId, JobState, JobStatus
from jupyter_hpcctr.core.life import events as on
from jupyter_hpcctr.core.life import state
from jupyter_hpcctr.core.request import KernelRequest
from jupyter_hpcctr.launch import Hub, jobs
from jupyter_hpcctr.launch.kernel import Launch

PLAN = SimpleNamespace(
    scheduler="slurm", image=None, resources=KernelRequest().resources, reasons=(), log_file="/nowhere"
)
HELLO = on.Hello(1, node="n1", age_s=0.1, run="a", start=1)
READY = on.Ready(1, 1)
ENDED = on.Ended(1, JobStatus(JobId("7"), JobState.ENDED))


class Allocation:
    """Stands for a submission: its agent says what ``quick`` holds before the job's number is known.

    ``refusal`` is what comes of it, ``found`` what its token finds; it is cancelled when the test lets it be.
    """

    quick, refusal, found = (), None, True

    def __init__(self, hub, plan, number, listener):
        self.plan, self.number, self.job, self.listener = plan, number, None, listener
        self.commands, self.sent, self.ending, self.what = [], [], asyncio.Event(), []
        self.reading = asyncio.Event()
        self.reading.set()

    async def entrust(self, key):
        pass

    async def submit(self):
        for event in self.quick:
            self.listener.tell(event)
        if self.refusal is not None:
            raise self.refusal
        self.job = JobId("7")

    async def seek(self):
        self.job = JobId("7") if self.found else None
        return self.found

    def follow(self):
        self.what.append("followed")

    def ask(self, *, ended=False):
        pass

    def command(self, command, value):
        self.commands.append((command, value))

    def send(self, channel, frames):
        self.sent.append(frames)
        return True

    async def cancel(self):
        await self.ending.wait()
        return True

    async def log_tail(self):
        await self.reading.wait()
        self.what.append("read")
        return "its last words"

    def release(self):
        pass

    async def discard(self):
        self.what.append("discarded")


@pytest.fixture
def launched(monkeypatch):
    """Run a scenario with a launch whose jobs are ``Allocation``s."""
    monkeypatch.setattr(jobs, "Allocation", Allocation)
    monkeypatch.setattr(jobs, "gather", lambda *facts, **more: None)
    monkeypatch.setattr(jobs, "draw", lambda *facts, **more: PLAN)
    monkeypatch.setattr(jobs, "precheck", lambda *facts: ("bare", "slurm"))
    monkeypatch.setattr(state, "FAREWELL_S", 0.01)

    def run(scenario):
        async def main():
            hub = Hub(Policy(), engine=str, scheduler=str, store=None)
            launch = Launch(hub, KernelRequest(), cwd="/")
            seen = []
            hub.observe(lambda view: seen.append(view.state))
            try:
                await launch.start()
                await scenario(launch, seen)
            finally:
                for each in launch._jobs._all.values():
                    each.ending.set()
                await launch.stop()
                await launch._driver.until(lambda life: life.settled)
            assert launch not in hub.launches | hub.unsettled

        asyncio.run(main())

    return run
