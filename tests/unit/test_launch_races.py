"""What a launch makes of news that comes in an unusual order: the scheduler and the agent are not real here."""

import asyncio

import pytest
from support.launches import ENDED, HELLO, READY, Allocation

from jupyter_hpcctr.core.life import events as on
from jupyter_hpcctr.core.life import state
from jupyter_hpcctr.edge import files
from jupyter_hpcctr.edge.behind import Phase
from jupyter_hpcctr.errors import SchedulerAway, SchedulerUnreachable, SubmitRefused


def test_a_kernel_that_was_asked_to_end_is_not_there_when_it_gets_ready(launched):
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

    launched(scenario)


@pytest.mark.parametrize(
    ("quick", "states", "words"),
    [
        ((), ["submitting", "pending"], "Slurm job 7 is submitted."),
        ((HELLO,), ["submitting", "starting"], "The job runs on n1; the kernel is starting …"),
        ((HELLO, READY), ["submitting", "starting", "running"], "Slurm job 7 runs on n1"),
    ],
    ids=["no agent", "hello", "ready"],
)
def test_an_agent_may_be_quicker_than_the_command_that_submits(launched, monkeypatch, quick, states, words):
    monkeypatch.setattr(Allocation, "quick", quick)

    async def scenario(launch, seen):
        assert list(dict.fromkeys(seen)) == states
        assert (launch.view.state, launch.view.job) == (states[-1], "7")
        assert words in launch.view.message

    launched(scenario)


@pytest.mark.parametrize("error", [SubmitRefused("No.", hint="Ask less."), SchedulerAway("No connection.")])
def test_a_refusal_is_raised_as_it_was_and_leaves_nothing(launched, monkeypatch, error):
    monkeypatch.setattr(Allocation, "refusal", error)

    async def scenario(launch, seen):
        raise AssertionError("it has started")

    with pytest.raises(type(error), match="No"):
        launched(scenario)


def test_a_submission_without_an_answer_is_settled_by_its_token(launched, monkeypatch):
    monkeypatch.setattr(Allocation, "refusal", SchedulerUnreachable("sbatch did not answer in 30 s"))

    async def scenario(launch, seen):
        await launch._driver.until(lambda life: life.job.id is not None)
        assert (launch.view.state, launch.job) == ("pending", "7")
        assert launch._allocation.what == ["followed"]

    launched(scenario)


def test_a_submission_that_nobody_knows_of_has_failed(launched, monkeypatch):
    monkeypatch.setattr(Allocation, "refusal", SchedulerUnreachable("sbatch did not answer in 30 s"))
    monkeypatch.setattr(Allocation, "found", False)
    monkeypatch.setattr(state, "_AGAIN_S", 0.001)
    monkeypatch.setattr(state, "_AGAIN_MAX_S", 0.001)

    async def scenario(launch, seen):
        await launch._driver.until(lambda life: life.mode is state.Mode.ENDED)
        assert launch.view.state == "ended" and "has no job for this kernel" in launch.view.message
        assert launch.view.error["stage"] == "scheduler" and launch.view.error["message"]

    launched(scenario)


def test_an_end_goes_on_when_who_waits_for_it_gives_up(launched):
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

    launched(scenario)


def test_a_job_that_cannot_be_cancelled_now_keeps_nobody_waiting_and_is_cancelled_later(launched, monkeypatch):
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

    launched(scenario)


def test_the_last_lines_of_a_job_are_read_before_its_files_are_removed(launched):
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

    launched(scenario)


def test_a_log_that_cannot_be_read_has_no_last_lines(tmp_path):
    (tmp_path / "log").symlink_to(tmp_path / "log")  # ELOOP, as ESTALE of a file server
    assert files.tail(tmp_path / "log") == ""
