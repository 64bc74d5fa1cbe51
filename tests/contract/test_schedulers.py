"""What every scheduler must do, shown by real jobs of each."""

import json
import signal
import sys
import time

import pytest
from support.waiting import state_of, text, wait_for_file

from jupyter_hpcctr.core.job import Ending, JobId, JobState
from jupyter_hpcctr.core.plan import JobSpec
from jupyter_hpcctr.core.request import Resources
from jupyter_hpcctr.errors import RequestError, SchedulerUnreachable, SubmitRefused

AWKWARD = ["a b", "a'b\"c", "a\nb", "a,b:c", "-a", "100%j", "$HOME", "`id`", "ä☃"]


def test_a_job_runs_says_something_and_is_cancelled(jobs, tmp_path):
    job = jobs.submit(["sh", "-c", "echo here: $PWD; touch started; exec sleep 600"], tmp_path)
    status = jobs.wait(job, JobState.RUNNING)
    assert (status.job_id, status.state, status.ending) == (job, JobState.RUNNING, None)
    assert status.nodes
    wait_for_file(tmp_path / "started", jobs, job)
    assert text(tmp_path / "job.log") == f"here: {tmp_path}\n"

    assert jobs.run(jobs.scheduler.cancel([job])).returncode == 0
    end = jobs.ended(job)
    assert (end.state, end.ending) == (JobState.ENDED, Ending.CANCELLED)


def test_the_exit_code_is_seen(jobs, tmp_path):
    end = jobs.ended(jobs.submit(["sh", "-c", "exit 3"], tmp_path))
    assert (end.state, end.ending, end.exit_code, end.signal) == (JobState.ENDED, Ending.FAILED, 3, None)


def test_success_is_seen(jobs, tmp_path):
    end = jobs.ended(jobs.submit(["true"], tmp_path))
    assert (end.state, end.ending, end.exit_code, end.signal) == (JobState.ENDED, Ending.COMPLETED, 0, None)
    assert end.end_time == time.strftime("%Y-%m-%dT%H:%M:%S", time.strptime(end.end_time, "%Y-%m-%dT%H:%M:%S"))


def test_death_by_a_signal_is_seen(jobs, tmp_path):
    end = jobs.ended(jobs.submit(["sh", "-c", "kill -KILL $$"], tmp_path))
    assert (end.state, end.ending, end.signal) == (JobState.ENDED, Ending.FAILED, 9)


def test_a_program_that_is_not_there_is_a_failure_with_a_reason_in_the_log(jobs, tmp_path):
    end = jobs.ended(jobs.submit(["no-such-program"], tmp_path))
    assert (end.ending, end.exit_code) == (Ending.FAILED, 127)
    assert "no-such-program" in text(tmp_path / "job.log")


def test_the_time_limit_ends_a_job(jobs, tmp_path):
    job = jobs.submit(["sh", "-c", "touch started; exec sleep 600"], tmp_path, time_minutes=1, hasten=True)
    wait_for_file(tmp_path / "started", jobs, job)
    jobs.hasten(job)
    end = jobs.ended(job)
    assert (end.state, end.ending) == (JobState.ENDED, Ending.TIMEOUT)


def test_a_signal_reaches_the_jobs_program(jobs, tmp_path):
    program = "import pathlib, signal; p = pathlib.Path('started'); "
    program += "signal.signal(signal.SIGUSR1, lambda *_: exit(5)); p.touch(); signal.pause()"
    job = jobs.submit([sys.executable, "-c", program], tmp_path)
    wait_for_file(tmp_path / "started", jobs, job)
    assert jobs.run(jobs.scheduler.signal(job, signal.SIGUSR1)).returncode == 0
    assert jobs.ended(job).exit_code == 5


def test_many_jobs_are_asked_for_by_one_command(jobs, tmp_path):
    one = jobs.submit(["sleep", "600"], tmp_path, cpus_per_task=1)
    two = jobs.submit(["true"], tmp_path, cpus_per_task=1)
    three = jobs.submit(["sh", "-c", "exit 1"], tmp_path, cpus_per_task=1)
    jobs.wait(one, JobState.RUNNING), jobs.wait(two, JobState.ENDED), jobs.wait(three, JobState.ENDED)

    asked = [one, two, three, JobId("4000000")]
    found = jobs.scheduler.statuses(jobs.run(jobs.scheduler.query(asked)))
    assert {job: (status.state, status.ending) for job, status in found.items()} == {
        one: (JobState.RUNNING, None),
        two: (JobState.ENDED, Ending.COMPLETED),
        three: (JobState.ENDED, Ending.FAILED),
    }
    assert jobs.run(jobs.scheduler.cancel(asked)).returncode == 0
    assert jobs.ended(one).ending is Ending.CANCELLED


def test_an_unknown_job_is_unknown_and_no_error(jobs, tmp_path):
    job = JobId("4000000")
    assert jobs.scheduler.statuses(jobs.run(jobs.scheduler.query([job]))) == {}
    assert jobs.settled(job).state is JobState.UNKNOWN
    assert jobs.run(jobs.scheduler.cancel([job])).returncode == 0
    recall = jobs.scheduler.recall(job)
    if recall is not None:  # sacct, on a cluster without an accounting database
        assert jobs.scheduler.settled(jobs.run(recall), job).state is JobState.UNKNOWN


def test_a_job_is_found_by_its_token_running_or_ended(jobs, tmp_path):
    running = jobs.submit(["sleep", "600"], tmp_path, token="abc-1", cpus_per_task=1)
    ended = jobs.submit(["true"], tmp_path, token="abc-2", cpus_per_task=1)
    jobs.submit(["true"], tmp_path, cpus_per_task=1)
    jobs.wait(ended, JobState.ENDED)
    found = jobs.scheduler.found(jobs.run(jobs.scheduler.find(["abc-1", "abc-2", "abc-3"])))
    assert (found["abc-1"], found["abc-2"]) == (running, ended)
    assert "abc-3" not in found and "" not in found
    jobs.scheduler.found(jobs.run(jobs.scheduler.find(["abc-3"])))


def test_words_arrive_as_they_are(jobs, tmp_path):
    words = [*AWKWARD, "", "a\\b", "*", "~", "a;b", "#SBATCH --nodes=9", "last"]
    program = "import json, pathlib, sys; pathlib.Path('words').write_text(json.dumps(sys.argv[1:]))"
    end = jobs.ended(jobs.submit([sys.executable, "-c", program, *words], tmp_path))
    assert end.ending is Ending.COMPLETED, text(tmp_path / "job.log")
    assert json.loads(text(tmp_path / "words")) == words


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_names_and_directories_work(jobs, tmp_path, name):
    directory = tmp_path / name
    directory.mkdir()
    job = jobs.submit(
        ["sh", "-c", "pwd; echo done >&2; exit 3"], directory, name=name, log_file=f"{directory}/{name}.log"
    )
    end = jobs.ended(job)
    assert (end.state, end.ending, end.exit_code) == (JobState.ENDED, Ending.FAILED, 3)
    assert text(directory / f"{name}.log") == f"{directory}\ndone\n"


def test_a_name_cannot_add_options_or_commands(jobs, tmp_path):
    name = f"x\n#SBATCH --output={tmp_path}/stolen\ntouch {tmp_path}/stolen JobState=FAILED ExitCode=9:9"
    end = jobs.ended(jobs.submit(["true"], tmp_path, name=name))
    assert (end.ending, end.exit_code, end.signal) == (Ending.COMPLETED, 0, None)
    assert not (tmp_path / "stolen").exists()


@pytest.mark.parametrize("path", ["relative", "/nul\0", "-dash"])
def test_paths_that_cannot_be_are_refused_before_launch(jobs, tmp_path, path):
    with pytest.raises(RequestError):
        jobs.scheduler.submit(JobSpec("x", ("true",), Resources(), path, "/dev/null"))
    with pytest.raises(RequestError):
        jobs.scheduler.submit(JobSpec("x", ("true",), Resources(), "/", path))


def test_a_word_with_a_nul_is_refused_before_launch(jobs, tmp_path):
    with pytest.raises(RequestError):
        jobs.scheduler.submit(JobSpec("x", ("echo", "a\0b"), Resources(), "/", "/dev/null"))


def test_a_refusal_is_in_words_and_has_a_hint(jobs, tmp_path):
    with pytest.raises(SubmitRefused) as refusal:
        jobs.submit(["true"], tmp_path, partition="nowhere")
    assert "partition" in refusal.value.message
    assert "error:" not in refusal.value.message
    assert refusal.value.hint


def test_too_much_memory_is_refused(jobs, tmp_path):
    with pytest.raises(SubmitRefused) as refusal:
        jobs.submit(["true"], tmp_path, mem_mb=900_000_000)
    assert "emory" in refusal.value.message
    assert refusal.value.hint


def test_the_log_is_added_to(jobs, tmp_path):
    (tmp_path / "job.log").write_text("before\n")
    jobs.ended(jobs.submit(["echo", "after"], tmp_path))
    assert text(tmp_path / "job.log") == "before\nafter\n"


def test_a_job_leaves_no_process(jobs, tmp_path):
    """Also one that has made itself a session of its own, by a parent that is gone."""
    script = (
        'setsid sh -c "echo \\$\\$ > pid; exec sleep 600" & while [ ! -s pid ]; do sleep 0.05; done; exec sleep 600'
    )
    job = jobs.submit(["sh", "-c", script], tmp_path)
    wait_for_file(tmp_path / "pid", jobs, job)
    deadline = time.monotonic() + 60
    while not text(tmp_path / "pid").strip():
        assert time.monotonic() < deadline
    pid = int(text(tmp_path / "pid"))
    jobs.run(jobs.scheduler.cancel([job]))
    jobs.ended(job)
    while (state := state_of(pid)) not in ("gone", "Z"):
        assert time.monotonic() < deadline, state
        time.sleep(0.05)


def test_the_site_describes_itself(jobs):
    scheduler = jobs.scheduler
    site = scheduler.read_site([jobs.run(command) for command in scheduler.site()])
    assert site.scheduler == scheduler.name
    (partition,) = site.partitions
    assert partition.is_default and partition.is_up
    again = scheduler.read_site([jobs.run(command) for command in scheduler.site(user="somebody")])
    assert again.partitions[0].name == partition.name and again.accounts == ()
    assert partition.cpus_per_node >= 1 and partition.mem_mb_per_node >= 1


def test_an_estimate_submits_nothing(jobs, tmp_path):
    spec = JobSpec("x", ("true",), Resources(cpus_per_task=1, time_minutes=5), str(tmp_path), f"{tmp_path}/log")
    command = jobs.scheduler.estimate(spec)
    assert (command is None) == (jobs.scheduler.name == "local"), "no job waits there, and elsewhere it can be asked"
    if command is None:
        return
    estimate = jobs.scheduler.estimated(jobs.run(command))
    assert time.strptime(estimate.start, "%Y-%m-%dT%H:%M:%S") and estimate.nodes
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize(
    ("impossible", "field"),
    [({"nodes": 99}, ""), ({"partition": "nowhere"}, "partition"), ({"constraint": "nowhere"}, "constraint")],
)
def test_an_estimate_of_what_can_never_be_is_a_refusal(jobs, tmp_path, impossible, field):
    spec = JobSpec("x", ("true",), Resources(**impossible), str(tmp_path), f"{tmp_path}/log")
    command = jobs.scheduler.estimate(spec)
    assert (command is None) == (jobs.scheduler.name == "local")
    if command is None:  # it is refused when it is submitted: test_local
        return
    with pytest.raises(SubmitRefused) as refusal:
        jobs.scheduler.estimated(jobs.run(command))
    assert refusal.value.field == field and refusal.value.hint and "error:" not in refusal.value.message


def test_no_answer_is_not_an_answer(jobs, tmp_path):
    """Where nobody answers, nothing is concluded: neither that a job is gone, nor that one was refused."""
    scheduler = jobs.scheduler
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir(mode=0o755)
    if jobs.cluster is None:
        broken = {"HPCCTR_LOCAL_JOBS": str(nowhere)}
    else:
        conf = jobs.cluster.conf.read_text()
        port = next(line for line in conf.splitlines() if line.startswith("SlurmctldPort="))
        (nowhere / "slurm.conf").write_text(conf.replace(port, "SlurmctldPort=1\nMessageTimeout=2"))
        broken = {"SLURM_CONF": str(nowhere / "slurm.conf")}
    spec = JobSpec("x", ("true",), Resources(), str(tmp_path), str(tmp_path / "log"))
    job = JobId("1")
    questions = [
        (scheduler.submit(spec), scheduler.submitted),
        (scheduler.find(["a"]), scheduler.found),
        (scheduler.query([job]), scheduler.statuses),
        (scheduler.settle(job), lambda output: scheduler.settled(output, job)),
        (scheduler.site()[0], lambda output: scheduler.read_site([output, *[output] * (len(scheduler.site()) - 1)])),
    ]
    for command, read in questions:
        with pytest.raises(SchedulerUnreachable) as error:
            read(jobs.run(command, **broken))
        assert error.value.transient and error.value.hint
