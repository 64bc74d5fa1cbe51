"""What the local scheduler promises besides the contract."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from support.waiting import state_of, text, wait_for_file

from jupyter_hpcctr.core.job import Ending, JobState
from jupyter_hpcctr.errors import SubmitRefused


def records_of(jobs):
    return Path(jobs.env["HPCCTR_LOCAL_JOBS"])


def test_local_memory_is_limited(local_jobs, tmp_path):
    program = "import time; x = b'1' * 400_000_000; time.sleep(600)"
    end = local_jobs.ended(local_jobs.submit([sys.executable, "-c", program], tmp_path, mem_mb=100))
    assert (end.state, end.ending) == (JobState.ENDED, Ending.OUT_OF_MEMORY)


def test_local_jobs_keep_to_their_cpus(local_jobs, tmp_path):
    program = "import os; print(len(os.sched_getaffinity(0)))"
    local_jobs.ended(local_jobs.submit([sys.executable, "-c", program], tmp_path, cpus_per_task=1))
    assert text(tmp_path / "job.log") == "1\n"


def test_local_jobs_know_their_id_and_get_the_callers_environment(local_jobs, tmp_path):
    spec = local_jobs.spec(["sh", "-c", 'echo "$HPCCTR_JOB_ID $SOME_NAME"'], tmp_path)
    job = local_jobs.run(local_jobs.scheduler.submit(spec), SOME_NAME="some value")
    local_jobs.ended(job)
    assert text(tmp_path / "job.log") == f"{job} some value\n"


def test_a_local_job_that_ignores_sigterm_is_killed(local_jobs, tmp_path):
    script = 'trap "" TERM; touch started; while :; do sleep 1; done'
    job = local_jobs.submit(["sh", "-c", script], tmp_path)
    wait_for_file(tmp_path / "started", local_jobs, job)
    local_jobs.run(local_jobs.scheduler.cancel([job]))
    assert (end := local_jobs.ended(job)).ending is Ending.CANCELLED and end.signal == 9


def test_a_local_job_without_its_supervisor_is_lost_and_can_still_be_ended(local_jobs, tmp_path):
    job = local_jobs.submit(["sleep", "600"], tmp_path)
    record = json.loads(text(records_of(local_jobs) / f"{job}.json"))
    os.kill(record["pid"], signal.SIGKILL)
    status = local_jobs.wait(job, JobState.ENDED)
    assert (status.ending, status.reason) == (Ending.LOST, "its supervisor is gone")
    assert state_of(record["main"]) not in ("gone", "Z")
    local_jobs.run(local_jobs.scheduler.cancel([job]))
    deadline = time.monotonic() + 30
    while state_of(record["main"]) not in ("gone", "Z"):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_stale_local_record_harms_no_stranger(local_jobs, tmp_path):
    """After a restart of the machine a process id is somebody else's; here it is this very process."""
    job = local_jobs.submit(["true"], tmp_path)
    local_jobs.ended(job)
    path = records_of(local_jobs) / f"{job}.json"
    stale = json.loads(text(path)) | {"pid": os.getpid(), "main": os.getpid(), "ending": ""}
    path.write_text(json.dumps(stale))
    assert local_jobs.status(job).ending is Ending.LOST
    local_jobs.run(local_jobs.scheduler.cancel([job]))
    local_jobs.run(local_jobs.scheduler.signal(job, signal.SIGKILL))


def test_local_records_are_private_and_forgotten_after_a_day(local_jobs, tmp_path):
    old = local_jobs.submit(["true"], tmp_path)
    local_jobs.ended(old)
    path = records_of(local_jobs) / f"{old}.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert records_of(local_jobs).stat().st_mode & 0o777 == 0o700
    path.write_text(json.dumps(json.loads(text(path)) | {"ended": time.time() - 25 * 3600}))
    new = local_jobs.submit(["true"], tmp_path)
    assert not path.exists() and int(new) == int(old) + 1
    assert local_jobs.settled(old).state is JobState.UNKNOWN


@pytest.mark.parametrize(
    ("resources", "word"),
    [({"nodes": 2}, "nodes"), ({"cpus_per_task": 100_000}, "CPUs"), ({"gpus_per_node": 1000}, "GPUs")],
)
def test_one_machine_refuses_what_it_has_not(local_jobs, tmp_path, resources, word):
    with pytest.raises(SubmitRefused, match=word):
        local_jobs.submit(["true"], tmp_path, **resources)


def test_a_log_that_cannot_be_written_is_refused(local_jobs, tmp_path):
    with pytest.raises(SubmitRefused, match="log file"):
        local_jobs.submit(["true"], tmp_path, log_file=str(tmp_path / "nowhere" / "log"))
