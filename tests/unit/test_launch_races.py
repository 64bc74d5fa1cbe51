"""What a launch makes of news that comes in an unusual order: the scheduler and the agent are not real here."""

import asyncio
import signal
from types import SimpleNamespace

import pytest
from support.front import Client

from jupyter_hpcctr.core.facts import Policy
from jupyter_hpcctr.core.request import KernelRequest
from jupyter_hpcctr.edge import files
from jupyter_hpcctr.edge.front import Phase
from jupyter_hpcctr.guest import wire
from jupyter_hpcctr.launch import Hub, kernel
from jupyter_hpcctr.launch.kernel import Launch

PLAN = SimpleNamespace(
    scheduler="slurm", image=None, resources=KernelRequest().resources, reasons=(), log_file="/nowhere"
)


class Allocation:
    """Stands for a submitted job: its agent says what ``quick`` holds before the job's number is known."""

    quick = ()

    def __init__(self, hub, plan, listener):
        self.plan, self.job, self.over, self.connected = plan, None, False, True
        self.listener, self.commands, self.ending = listener, [], asyncio.Event()
        self.forgotten = False

    async def submit(self, kernel_key):
        for event in self.quick:
            self.listener.on_event(event)
        self.job = "7"

    def command(self, **what):
        self.commands.append(what)

    async def end(self):
        await self.ending.wait()

    async def forget(self):
        self.forgotten = True


@pytest.fixture
def drive(monkeypatch):
    """Run a scenario with a launch whose jobs are ``Allocation``s."""
    monkeypatch.setattr(kernel, "Allocation", Allocation)
    monkeypatch.setattr(kernel, "gather", lambda *facts, **more: None)
    monkeypatch.setattr(kernel, "draw", lambda *facts, **more: PLAN)
    monkeypatch.setattr(kernel, "precheck", lambda *facts: ("bare", "slurm"))

    def run(scenario):
        async def main():
            hub = Hub(Policy(), engine=str, scheduler=str, store=None)
            launch = Launch(hub, KernelRequest(), cwd="/")
            seen = []
            hub.observe(lambda view: seen.append(view.state))
            await launch.start()
            try:
                await scenario(launch, seen)
            finally:
                launch.allocation and launch.allocation.ending.set()
                await launch.stop()

        asyncio.run(main())

    return run


HELLO = {"event": "hello", "age_s": 0.1, "host": "n1"}
READY = {"event": "ready", "start": 1}


def test_a_kernel_that_was_asked_to_end_is_not_there_when_it_gets_ready(drive):
    async def scenario(launch, seen):
        launch.on_event(HELLO)
        launch.shutdown(restart=True)
        launch.on_event(READY)
        assert (launch.exit_code, launch._front.phase) == (0, Phase.WAITING)
        await launch.start_again()
        assert launch.allocation.commands == [{"command": "restart", "start": 2}]
        launch.on_event(READY)  # the first one's, once more
        assert launch._front.phase is Phase.WAITING
        launch.on_event({"event": "ready", "start": 2})
        assert (launch.exit_code, launch._front.phase) == (None, Phase.READY)

    drive(scenario)


@pytest.mark.parametrize(
    ("quick", "states", "words"),
    [
        ((), ["submitting", "pending"], "Slurm job 7 is submitted."),
        ((HELLO,), ["submitting", "starting"], "The job runs on n1; the kernel is starting …"),
        ((HELLO, READY), ["submitting", "starting", "running"], "Slurm job 7 runs on n1"),
    ],
    ids=["no agent", "hello", "ready"],
)
def test_an_agent_may_be_quicker_than_the_command_that_submits(drive, monkeypatch, quick, states, words):
    monkeypatch.setattr(Allocation, "quick", quick)

    async def scenario(launch, seen):
        assert list(dict.fromkeys(seen)) == states
        assert (launch.view.state, launch.view.job) == (states[-1], "7")
        assert words in launch.view.message

    drive(scenario)


def test_an_end_goes_on_when_who_waits_for_it_gives_up(drive):
    async def scenario(launch, seen):
        allocation = launch.allocation
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(launch.stop(), 0.05)
        again = asyncio.create_task(launch.stop())
        await asyncio.sleep(0)
        assert not again.done()
        allocation.ending.set()
        await again
        assert allocation.forgotten
        assert not launch._directory.exists()
        assert launch not in launch._hub.launches
        assert seen[-1] == "gone"

    drive(scenario)


def test_a_log_that_cannot_be_read_has_no_last_lines(tmp_path):
    (tmp_path / "log").symlink_to(tmp_path / "log")  # ELOOP, as ESTALE of a file server
    assert files.tail(tmp_path / "log") == ""


async def shut_down(launch):
    launch.signal(signal.SIGINT, ending=True)  # as jupyter_client does first
    launch.shutdown(restart=False)
    launch.allocation.ending.set()
    await launch.stop()


async def kill(launch):
    launch.signal(signal.SIGINT, ending=True)
    await launch.kill(signal.SIGKILL)
    launch.allocation.ending.set()
    await launch.stop()


async def restart(launch):
    launch.signal(signal.SIGINT, ending=True)
    launch.shutdown(restart=True)
    await launch.start_again()


async def restart_now(launch):
    launch.signal(signal.SIGINT, ending=True)
    await launch.kill(signal.SIGKILL)
    await launch.start_again()


async def interrupt(launch):
    launch.signal(signal.SIGINT)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (shut_down, "the kernel was shut down"),
        (kill, "the kernel was shut down"),
        (restart, "the kernel was restarted"),
        (restart_now, "the kernel was restarted"),
        (interrupt, "interrupted"),
    ],
)
def test_a_cell_that_waited_is_told_what_became_of_its_kernel(drive, what, words):
    async def scenario(launch, seen):
        about = launch.connection_info
        key = about["key"]
        client = Client(about["ip"])
        try:
            await client.until("iopub", "iopub_welcome", key=key)  # else what follows may come before it listens
            await client.send("shell", "execute_request", {"code": "1"}, key=key)
            await client.until("iopub", "display_data", key=key)
            await what(launch)
            reply = await client.receive("shell", key=key)
            assert reply.content["evalue"].startswith(words)
            assert "queue" not in reply.content["evalue"]
        finally:
            client.close()

    drive(scenario)


@pytest.mark.parametrize("killed_first", [False, True], ids=["by itself", "as Jupyter's restarter does"])
def test_cells_that_wait_for_a_kernel_that_died_are_kept_for_the_next(drive, killed_first):
    async def scenario(launch, seen):
        launch.on_event(HELLO)
        launch.on_event(READY)
        launch.on_event({"event": "exited", "start": 1, "code": -9, "ready": True})
        assert launch.exit_code == -9
        client = Client(launch.connection_info["ip"])
        key = launch.connection_info["key"]
        try:
            await client.until("iopub", "iopub_welcome", key=key)
            asked = await client.send("shell", "execute_request", {"code": "1"}, key=key)
            await client.until("iopub", "display_data", key=key)
            if killed_first:
                await launch.kill(signal.SIGKILL)
            await launch.start_again()
            sent = []
            launch.allocation.send = lambda channel, frames: sent.append(wire.unpack(key, frames).header["msg_id"])
            launch.on_event({"event": "ready", "start": 2})
            assert sent == [asked]
        finally:
            client.close()

    drive(scenario)
