"""What people are told of a job, word for word."""

import pytest

from jupyter_hpcctr.core.job import Ending, JobId, JobState, JobStatus
from jupyter_hpcctr.core.life.words import words
from jupyter_hpcctr.core.story import RESTART, died, ended, told, waiting

JOB = JobId("7")
AHEAD = "jobs with a higher priority are ahead"


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (
            JobStatus(JOB, JobState.PENDING, "Priority", expected_start="2026-11-22T10:32:00", meaning=AHEAD),
            "Slurm job 7 is pending (Priority: jobs with a higher priority are ahead), expected start "
            "2026-11-22 10:32. Cells run when the kernel is there.",
        ),
        (
            JobStatus(JOB, JobState.PENDING, "SomethingNew"),
            "Slurm job 7 is pending (SomethingNew). Cells run when the kernel is there.",
        ),
        (JobStatus(JOB, JobState.PENDING), "Slurm job 7 is pending. Cells run when the kernel is there."),
        (JobStatus(JOB, JobState.RUNNING, nodes="n[1-2]"), "Slurm job 7 runs on n[1-2]; the kernel is starting …"),
    ],
)
def test_a_waiting_job(status, text):
    assert waiting("slurm", status) == text


@pytest.mark.parametrize(
    ("ending", "cause", "text"),
    [
        (Ending.TIMEOUT, "", "Slurm job 7 reached its time limit of 5 min."),
        (Ending.CANCELLED, "signal 15", "Slurm job 7 was cancelled from outside of this notebook."),
        (Ending.OUT_OF_MEMORY, "", "Slurm job 7 needed more memory than it had asked for."),
        (Ending.NODE_FAIL, "", "Slurm job 7 ended because its node n1 failed."),
        (Ending.PREEMPTED, "", "Slurm job 7 was preempted by a job with a higher priority."),
        (Ending.FAILED, "the container ended", "Slurm job 7 ended with status 3: the container ended."),
        (Ending.COMPLETED, "", "Slurm job 7 ended with status 3."),
        (Ending.LOST, "x", "Slurm job 7 is gone and its scheduler no longer knows it. Its last word was: x."),
    ],
)
def test_every_ending_has_its_words_and_says_what_to_do(ending, cause, text):
    status = JobStatus(JOB, JobState.ENDED, nodes="n1", ending=ending, exit_code=3)
    assert ended("slurm", status, time_limit_minutes=5, cause=cause) == f"{text} {RESTART}"


def test_a_dead_process_is_told_by_its_signal_or_status():
    assert "SIGKILL" in died(-9)
    assert "memory limit" in died(-9)
    assert "status 3" in died(3)
    assert "signal 40;" in died(-40)


def test_a_job_that_a_signal_ended_says_which():
    status = JobStatus(JOB, JobState.ENDED, ending=Ending.FAILED, exit_code=0, signal=9)
    assert ended("slurm", status, time_limit_minutes=None).startswith("Slurm job 7 ended by SIGKILL.")


def test_of_a_job_that_ended_before_it_began_the_node_is_suspected():
    status = JobStatus(JOB, JobState.ENDED, nodes="n1", ending=Ending.CANCELLED)
    text = told(words("ended", words("not begun"), status=status), scheduler="slurm")
    why = "it was cancelled, or the scheduler could not prepare the node (its prolog failed)"
    assert text == f"Slurm job 7 ended before anything of it ran on n1: {why}. {RESTART}"
    assert told(words("ended", status=status), scheduler="slurm").startswith("Slurm job 7 was cancelled from outside")
