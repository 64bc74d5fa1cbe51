"""What is concluded from a scheduler's answers, good and bad, when it is asked again and again."""

import asyncio
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
        yield Command(("true",))
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        self.last = answer
        return answer

    def settle(self, job):
        yield Command(("true",))
        return self.last.get(job, JobStatus(job, JobState.UNKNOWN))


async def answered(question):
    return Output(0, "", "")


@pytest.fixture
def heard(monkeypatch):
    """What a watch that hardly waits tells of a job when it has asked eight times."""
    for name in ("FIRST_S", "PENDING_MAX_S", "RUNNING_MAX_S"):
        monkeypatch.setattr(watching, name, 0.05)

    def told_of(*answers, runs=False):
        job, told, scheduler = JobId("1"), [], Fickle(*answers)

        async def main():
            watch = watching.Watch(scheduler, answered)
            watch.add(job, lambda status, *, requeued: told.append((status, requeued)))
            if runs:
                watch.runs(job)
            until = time.monotonic() + 60
            while scheduler.asked < 8:
                assert time.monotonic() < until
                await asyncio.sleep(0.05)
            await watch.close()

        asyncio.run(main())
        return [(status.state, status.reason, requeued) for status, requeued in told]

    return told_of


def test_a_fault_in_one_answer_does_not_end_the_poller(heard):
    running = {JobId("1"): JobStatus(JobId("1"), JobState.RUNNING, "again")}
    assert heard(ValueError("nonsense"), OSError(24, "too many files"), running) == [(JobState.RUNNING, "again", False)]


def test_a_state_without_a_name_changes_nothing(heard):
    assert heard({JobId("1"): JobStatus(JobId("1"), JobState.UNKNOWN, "NEWSTATE")}) == []


def test_a_job_that_is_not_known_is_lost_each_time_that_it_is_asked_for(heard):
    told = heard({})
    assert set(told) == {(JobState.ENDED, "", False)} and 2 <= len(told) <= 6, "not for the first two answers"


def says(*states):
    """Answers of a scheduler: a state, and its reason where that matters."""
    pairs = [each if isinstance(each, tuple) else (each, "") for each in states]
    return [{JobId("1"): JobStatus(JobId("1"), state, reason, requeued=reason == AGAIN)} for state, reason in pairs]


AGAIN = "put back"
PENDING, RUNNING, ENDED = JobState.PENDING, JobState.RUNNING, JobState.ENDED


@pytest.mark.parametrize("before", [RUNNING, ENDED])
def test_a_job_that_had_its_nodes_and_waits_again_was_requeued(heard, before):
    told = heard(*says(before, (PENDING, AGAIN), (PENDING, "Resources"), RUNNING))
    back = [(PENDING, AGAIN, True), (PENDING, "Resources", False), (RUNNING, "", False)]
    assert told == [(before, "", False), *back]


def test_one_answer_of_before_is_no_requeue_and_two_are(heard):
    assert heard(*says(RUNNING, PENDING, RUNNING)) == [(RUNNING, "", False)]
    assert heard(*says(RUNNING, PENDING, PENDING)) == [(RUNNING, "", False), (PENDING, "", True)]


def test_a_job_whose_agent_was_heard_and_that_waits_was_requeued(heard):
    assert heard(*says((PENDING, AGAIN)), runs=True) == [(PENDING, AGAIN, True)]
