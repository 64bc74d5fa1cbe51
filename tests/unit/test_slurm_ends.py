"""How a job ended, where the controller has forgotten it or does not know it all."""

import pytest

from jupyter_hpcctr.core.job import Ending, JobId, JobState, JobStatus, Output
from jupyter_hpcctr.core.questions import replayed
from jupyter_hpcctr.errors import SchedulerError, SchedulerUnreachable
from jupyter_hpcctr.schedulers.slurm import Slurm

SLURM = Slurm()


def remembered(text):
    """What is concluded where the controller has forgotten a job and accounting answers this."""
    forgotten = Output(1, "", "slurm_load_jobs error: Invalid job id specified")
    return replayed(SLURM.settle(JobId("7")), forgotten, Output(0, text, ""))


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("7|COMPLETED|0:0|2026-01-02T03:04:05|n1", (Ending.COMPLETED, 0, None)),
        ("7|CANCELLED by 1001|0:0|2026-01-02T03:04:05|n1", (Ending.CANCELLED, 0, None)),
        ("7|FAILED|3:0|2026-01-02T03:04:05|n1", (Ending.FAILED, 3, None)),
        ("7|FAILED|0:9|2026-01-02T03:04:05|n1", (Ending.FAILED, 0, 9)),
        ("7|OUT_OF_MEMORY|0:125|2026-01-02T03:04:05|n1", (Ending.OUT_OF_MEMORY, 0, 125)),
    ],
)
def test_accounting_remembers(row, expected):
    ending, exit_code, signal = expected
    assert remembered(f"{row}\n") == JobStatus(
        JobId("7"),
        JobState.ENDED,
        nodes="n1",
        end_time="2026-01-02T03:04:05",
        ending=ending,
        exit_code=exit_code,
        signal=signal,
    )


def test_accounting_that_knows_nothing():
    assert remembered("") == JobStatus(JobId("7"), JobState.UNKNOWN)


@pytest.mark.parametrize("log", ["exceeded memory limit (9 > 5)", "Detected 1 oom_kill event in StepId=7"])
def test_the_end_of_a_log_tells_a_job_that_was_out_of_memory_from_one_that_failed(log):
    failed, line = JobStatus(JobId("7"), JobState.ENDED, ending=Ending.FAILED), f"slurmstepd-n1: error: {log}"
    assert SLURM.last_words(failed, f"x\n{line}\n").ending is Ending.OUT_OF_MEMORY
    assert SLURM.last_words(failed, f"said {line}") == failed


def test_what_is_not_cancelled_is_told():
    said = "scancel: error: Kill job error on job id 7: Access/permission denied"
    with pytest.raises(SchedulerError, match="Slurm did not do that: .*denied") as refused:
        replayed(SLURM.cancel([JobId("7")]), Output(1, "", said))
    assert refused.value.hint and not isinstance(refused.value, SchedulerUnreachable)
    away = "scancel: error: slurm_kill_job2() failed: Unable to contact slurm controller (connect failure)"
    for asking in (SLURM.cancel([JobId("7")]), SLURM.signal(JobId("7"), 10)):
        with pytest.raises(SchedulerUnreachable):
            replayed(asking, Output(1, "", away))
