"""What is concluded from a scheduler's answers, good and bad, when it is asked again and again."""

import asyncio
import os
import time

import pytest

from jupyter_hpcctr.core.job import Command, JobId, JobState, JobStatus, Output
from jupyter_hpcctr.edge import watch as watching


class Fickle:
    """A scheduler's answers, one after the other; an exception is raised."""

    name = "fickle"
    keep_env = ()

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), 0

    def query(self, jobs):
        return Command(("true",))

    def statuses(self, output):
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    settle = query

    def settled(self, output: Output, job):
        return JobStatus(job, JobState.UNKNOWN)

    def recall(self, job):
        return None


@pytest.fixture
def heard(monkeypatch):
    """What a watch that hardly waits tells of a job when it has asked eight times."""
    for name in ("FIRST_S", "PENDING_MAX_S", "RUNNING_MAX_S"):
        monkeypatch.setattr(watching, name, 0.05)

    def told_of(*answers, alive=False):
        job, told, scheduler = JobId("1"), [], Fickle(*answers)

        async def main():
            watch = watching.Watch(scheduler, lambda: dict(os.environ))
            watch.add(job, told.append, alive=lambda: alive)
            until = time.monotonic() + 60
            while scheduler.asked < 8 and not any(status.state is JobState.ENDED for status in told):
                assert time.monotonic() < until
                await asyncio.sleep(0.05)
            await watch.close()

        asyncio.run(main())
        return [(status.state, status.reason) for status in told]

    return told_of


def test_a_fault_in_one_answer_does_not_end_the_poller(heard):
    running = {JobId("1"): JobStatus(JobId("1"), JobState.RUNNING, "again")}
    assert heard(ValueError("nonsense"), OSError(24, "too many files"), running) == [(JobState.RUNNING, "again")]


def test_a_state_without_a_name_changes_nothing(heard):
    assert heard({JobId("1"): JobStatus(JobId("1"), JobState.UNKNOWN, "NEWSTATE")}) == []


@pytest.mark.parametrize(("alive", "told"), [(True, []), (False, [(JobState.ENDED, "")])])
def test_a_job_that_is_heard_is_never_lost(heard, alive, told):
    assert heard({}, alive=alive) == told
