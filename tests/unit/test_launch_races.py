"""What a launch makes of news that comes in an unusual order: the scheduler and the agent are not real here."""

import asyncio
import signal
from types import SimpleNamespace

import pytest
from support.front import Client

from jupyter_hpcctr.core.facts import Policy
from jupyter_hpcctr.core.job import JobId, JobState, JobStatus
from jupyter_hpcctr.core.life import events as on
from jupyter_hpcctr.core.life import state
from jupyter_hpcctr.core.request import KernelRequest
from jupyter_hpcctr.edge import files
from jupyter_hpcctr.edge.front import Phase
from jupyter_hpcctr.errors import CommandTimeout, SchedulerUnreachable, SubmitRefused
from jupyter_hpcctr.guest import wire
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
def drive(monkeypatch):
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


def test_a_kernel_that_was_asked_to_end_is_not_there_when_it_gets_ready(drive):
    async def scenario(launch, seen):
        launch.tell(HELLO)
        launch.shutdown(restart=True)
        launch.tell(READY)
        assert (launch.exit_code, launch._front.phase) == (0, Phase.WAITING)
        await launch.start_again()
        assert launch._allocation.commands == [("restart", 2)]
        launch.tell(READY)  # the first one's, once more
        assert launch._front.phase is Phase.WAITING
        launch.tell(on.Ready(1, 2))
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


def test_a_refusal_is_raised_as_it_was_and_leaves_nothing(drive, monkeypatch):
    monkeypatch.setattr(Allocation, "refusal", SubmitRefused("No.", hint="Ask less."))

    async def scenario(launch, seen):
        raise AssertionError("it has started")

    with pytest.raises(SubmitRefused, match="No"):
        drive(scenario)


@pytest.mark.parametrize("error", [CommandTimeout("sbatch did not answer in 30 s"), SchedulerUnreachable("timed out")])
def test_a_submission_without_an_answer_is_settled_by_its_token(drive, monkeypatch, error):
    monkeypatch.setattr(Allocation, "refusal", error)

    async def scenario(launch, seen):
        await launch._driver.until(lambda life: life.job.id is not None)
        assert (launch.view.state, launch.job) == ("pending", "7")
        assert launch._allocation.what == ["followed"]

    drive(scenario)


def test_a_submission_that_nobody_knows_of_has_failed(drive, monkeypatch):
    monkeypatch.setattr(Allocation, "refusal", CommandTimeout("sbatch did not answer in 30 s"))
    monkeypatch.setattr(Allocation, "found", False)
    monkeypatch.setattr(state, "_AGAIN_S", 0.001)
    monkeypatch.setattr(state, "_AGAIN_MAX_S", 0.001)

    async def scenario(launch, seen):
        await launch._driver.until(lambda life: life.mode is state.Mode.ENDED)
        assert launch.view.state == "ended" and "has no job for this kernel" in launch.view.message
        assert launch.view.error["stage"] == "scheduler" and launch.view.error["message"]

    drive(scenario)


def test_an_end_goes_on_when_who_waits_for_it_gives_up(drive):
    async def scenario(launch, seen):
        allocation, directory = launch._allocation, launch._face._directory
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(launch.stop(), 0.05)
        again = asyncio.create_task(launch.stop())
        await asyncio.sleep(0)
        assert not again.done()
        allocation.ending.set()
        await again
        assert allocation.what[-1] == "discarded"
        assert not directory.exists()
        assert seen[-1] == "gone"

    drive(scenario)


def test_a_job_that_cannot_be_cancelled_now_keeps_nobody_waiting_and_is_cancelled_later(drive, monkeypatch):
    monkeypatch.setattr(state, "_AGAIN_S", 0.001)
    answers = [True, True, False, False]

    async def cancel(allocation):
        return answers.pop() if answers else True

    async def scenario(launch, seen):
        monkeypatch.setattr(Allocation, "cancel", cancel)
        allocation = launch._allocation
        await launch.stop()
        assert launch in launch._hub.unsettled
        await launch._driver.until(lambda life: life.settled)
        assert allocation.what[-1] == "discarded"

    drive(scenario)


def test_the_last_lines_of_a_job_are_read_before_its_files_are_removed(drive):
    async def scenario(launch, seen):
        allocation = launch._allocation
        allocation.reading.clear()
        launch.tell(ENDED)
        launch.tell(on.Restart())
        assert launch._front.phase is Phase.WAITING, "the end is still to be told"
        allocation.reading.set()
        await launch._driver.until(lambda life: life.jobs == 2)
        assert allocation.what == ["followed", "read", "discarded"]
        await launch._driver.until(lambda life: life.stage is state.Stage.PENDING)

    drive(scenario)


def test_a_log_that_cannot_be_read_has_no_last_lines(tmp_path):
    (tmp_path / "log").symlink_to(tmp_path / "log")  # ELOOP, as ESTALE of a file server
    assert files.tail(tmp_path / "log") == ""


async def shut_down(launch):
    launch.signal(signal.SIGINT, ending=True)  # as jupyter_client does first
    launch.shutdown(restart=False)
    launch._allocation.ending.set()
    await launch.stop()


async def kill(launch):
    launch.signal(signal.SIGINT, ending=True)
    launch.kill(signal.SIGKILL, restart=False)
    launch._allocation.ending.set()
    await launch.stop()


async def restart(launch):
    launch.signal(signal.SIGINT, ending=True)
    launch.shutdown(restart=True)
    await launch.start_again()


async def restart_now(launch):
    launch.signal(signal.SIGINT, ending=True)
    launch.kill(signal.SIGKILL, restart=True)
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
            await client.send("shell", "execute_request", {"code": "1"}, key=key)
            await client.until("iopub", "display_data", key=key)
            await what(launch)
            reply = await client.receive("shell", key=key)
            assert reply.content["evalue"].startswith(words)
            assert "queue" not in reply.content["evalue"]
        finally:
            client.close()

    drive(scenario)


def test_cells_that_wait_for_a_kernel_that_died_are_kept_for_the_next(drive):
    async def scenario(launch, seen):
        launch.tell(HELLO)
        launch.tell(READY)
        launch.tell(on.Exited(1, 1, -9))
        assert launch.exit_code == -9
        client = Client(launch.connection_info["ip"])
        key = launch.connection_info["key"]
        try:
            asked = await client.send("shell", "execute_request", {"code": "1"}, key=key)
            await client.until("iopub", "display_data", key=key)
            await launch.start_again()
            launch.tell(on.Ready(1, 2))
            (frames,) = launch._allocation.sent
            assert wire.unpack(key, frames).header["msg_id"] == asked
        finally:
            client.close()

    drive(scenario)


def test_a_restart_works_where_the_sockets_directory_was_removed(drive):
    async def scenario(launch, seen):
        directory = launch._face._directory
        directory.chmod(0o700)
        for each in directory.iterdir():
            each.unlink()
        directory.rmdir()
        await launch.start_again()
        client = Client(launch.connection_info["ip"])
        try:
            await client.send("shell", "kernel_info_request", key=launch.connection_info["key"])
            await client.until("shell", "kernel_info_reply", key=launch.connection_info["key"])
        finally:
            client.close()

    drive(scenario)
