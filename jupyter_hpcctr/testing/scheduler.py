"""What every scheduler must do, as a pytest class to be subclassed: real jobs, and what is said of them."""

from __future__ import annotations

import json
import secrets
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from ..core.job import Ending, JobId, JobState
from ..core.jobspec import JobSpec
from ..core.questions import Asking, opening
from ..core.request import Resources
from ..core.seams import Scheduler
from ..errors import RequestError, SchedulerUnreachable, SubmitRefused
from .jobs import Jobs, jobs_of
from .waiting import PATIENCE_S, content, is_running, until

NAMES = ("a b", "a'b\"c", "a\nb", "a,b:c", "-a", "100%j", "$HOME", "`id`", "ä☃")
LONG_S = 600
BOOT = Path("/proc/sys/kernel/random/boot_id")
SLEEP = ("sleep", str(LONG_S))


class SchedulerContract:
    """What holds for jobs of every scheduler; each case submits its own, of one node and one CPU, and ends them.

    Besides the attributes, a subclass gives the fixture ``unreachable``; and ``variables`` and ``place`` where it
    needs to.

    Attributes
    ----------
    scheduler : Scheduler
        The scheduler. Every subclass gives it.
    resources : mapping
        What every job is to ask for: a partition, an account.
    refused : tuple of mapping
        What nobody gets, and is refused at submission.
    unknown : JobId
        A job that there has never been.
    patience_s : float
        Seconds that a job may take to start or to end.
    driver : type of Jobs
        What asks its questions. A subclass with ``hastened`` or ``hasten`` makes the case of the time limit short.
    """

    scheduler: ClassVar[Scheduler]
    resources: ClassVar[Mapping[str, object]] = {}
    refused: ClassVar[tuple[Mapping[str, object], ...]] = ({"partition": "nowhere"}, {"mem_mb": 900_000_000})
    unknown: ClassVar[JobId] = JobId("4000000")
    patience_s: ClassVar[float] = PATIENCE_S
    driver: ClassVar[type[Jobs]] = Jobs

    @pytest.fixture
    def variables(self, tmp_path: Path) -> Mapping[str, str]:
        """Variables with which the scheduler is found."""
        return {}

    @pytest.fixture
    def unreachable(self, tmp_path: Path) -> Mapping[str, str]:
        """Variables with which nobody is found; to be overridden."""
        raise NotImplementedError("give the fixture 'unreachable': variables with which nobody answers")

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        """A directory of the test's own that jobs see at the same path."""
        return tmp_path

    @pytest.fixture
    def jobs(self, variables: Mapping[str, str]) -> Iterator[Jobs]:
        """The scheduler, with what its questions need; what is left of its jobs is cancelled."""
        with jobs_of(self.driver(self.scheduler, dict(variables), self.resources, self.patience_s)) as jobs:
            yield jobs

    # -- a job's life

    def test_a_job_runs_says_something_and_is_cancelled(self, jobs: Jobs, place: Path) -> None:
        job = jobs.submit(["sh", "-c", f"echo here: $PWD; touch started; exec sleep {LONG_S}"], place)
        status = jobs.wait(job, JobState.RUNNING)
        assert (status.job_id, status.state, status.ending) == (job, JobState.RUNNING, None)
        assert status.nodes
        jobs.await_file(place / "started", job)
        assert (place / "job.log").read_text() == f"here: {place}\n"
        jobs.run(jobs.scheduler.cancel([job]))
        end = jobs.ended(job)
        assert (end.state, end.ending) == (JobState.ENDED, Ending.CANCELLED)

    def test_success_is_seen(self, jobs: Jobs, place: Path) -> None:
        end = jobs.ended(jobs.submit(["true"], place))
        assert (end.state, end.ending, end.exit_code, end.signal) == (JobState.ENDED, Ending.COMPLETED, 0, None)
        assert end.end_time is not None
        assert end.end_time == time.strftime("%Y-%m-%dT%H:%M:%S", time.strptime(end.end_time, "%Y-%m-%dT%H:%M:%S"))

    def test_the_exit_code_is_seen(self, jobs: Jobs, place: Path) -> None:
        end = jobs.ended(jobs.submit(["sh", "-c", "exit 3"], place))
        assert (end.state, end.ending, end.exit_code, end.signal) == (JobState.ENDED, Ending.FAILED, 3, None)
        last = jobs.scheduler.last_words(end, (place / "job.log").read_text())
        assert (last.job_id, last.state, last.exit_code) == (end.job_id, JobState.ENDED, 3)

    def test_death_by_a_signal_is_seen(self, jobs: Jobs, place: Path) -> None:
        end = jobs.ended(jobs.submit(["sh", "-c", "kill -KILL $$"], place))
        assert (end.state, end.ending, end.signal) == (JobState.ENDED, Ending.FAILED, 9)

    def test_a_program_that_is_not_there_is_a_failure_with_a_reason_in_the_log(self, jobs: Jobs, place: Path) -> None:
        end = jobs.ended(jobs.submit(["no-such-program"], place))
        assert (end.ending, end.exit_code) == (Ending.FAILED, 127)
        assert "no-such-program" in (place / "job.log").read_text()

    def test_the_time_limit_ends_a_job(self, jobs: Jobs, place: Path) -> None:
        script = f"touch started; exec sleep {LONG_S}"
        job = jobs.submit(["sh", "-c", script], place, time_minutes=1, hasten=True)
        jobs.await_file(place / "started", job)
        jobs.hasten(job)
        end = jobs.ended(job, timeout_s=self.patience_s + 60)
        assert (end.state, end.ending) == (JobState.ENDED, Ending.TIMEOUT)

    def test_a_signal_reaches_the_jobs_program(self, jobs: Jobs, place: Path) -> None:
        program = "import pathlib, signal; p = pathlib.Path('started'); "
        program += "signal.signal(signal.SIGUSR1, lambda *_: exit(5)); p.touch(); signal.pause()"
        job = jobs.submit([sys.executable, "-c", program], place)
        jobs.await_file(place / "started", job)
        jobs.run(jobs.scheduler.signal(job, signal.SIGUSR1))
        assert jobs.ended(job).exit_code == 5

    def test_a_job_leaves_no_process(self, jobs: Jobs, place: Path) -> None:
        """Also one that has made itself a session of its own, by a parent that is gone. Seen where jobs run here."""
        script = f'setsid sh -c "echo \\$\\$ > pid; exec sleep {LONG_S}" & while [ ! -s pid ]; do sleep 0.05; done; '
        script += f"cat {BOOT} > boot; "
        job = jobs.submit(["sh", "-c", f"{script} exec sleep {LONG_S}"], place)
        jobs.await_file(place / "boot", job)
        pid, is_here = int(content(place / "pid")), content(place / "boot") == BOOT.read_text()
        jobs.run(jobs.scheduler.cancel([job]))
        jobs.ended(job)
        if is_here:  # the number of another machine's process may be anybody's here
            until(lambda: not is_running(pid), f"process {pid} is left", patience_s=self.patience_s)

    # -- questions

    def test_many_jobs_are_asked_for_together(self, jobs: Jobs, place: Path) -> None:
        one = jobs.submit(SLEEP, place, cpus_per_task=1)
        two = jobs.submit(["true"], place, cpus_per_task=1)
        three = jobs.submit(["sh", "-c", "exit 1"], place, cpus_per_task=1)
        jobs.wait(one, JobState.RUNNING), jobs.wait(two, JobState.ENDED), jobs.wait(three, JobState.ENDED)
        asked = [one, two, three, self.unknown]
        found = jobs.run(jobs.scheduler.query(asked))
        stand = {job: (status.state, status.ending) for job, status in found.items() if job in asked}
        assert stand.pop(one) == (JobState.RUNNING, None)
        ended = {two: (JobState.ENDED, Ending.COMPLETED), three: (JobState.ENDED, Ending.FAILED)}
        assert stand.items() <= ended.items(), "what has ended may have left the queue, and settling says how"
        assert {job: (end.state, end.ending) for job in ended for end in [jobs.settled(job)]} == ended
        jobs.run(jobs.scheduler.cancel(asked))
        assert jobs.ended(one).ending is Ending.CANCELLED

    def test_an_unknown_job_is_unknown_and_no_error(self, jobs: Jobs) -> None:
        job, scheduler = self.unknown, jobs.scheduler
        assert jobs.run(scheduler.query([job])).get(job) is None
        assert jobs.settled(job).state is JobState.UNKNOWN
        jobs.run(scheduler.cancel([job]))

    def test_a_job_is_found_by_its_token_running_or_ended(self, jobs: Jobs, place: Path) -> None:
        one, two, none = (secrets.token_hex(12) for _ in range(3))
        running = jobs.submit(SLEEP, place, token=one, cpus_per_task=1)
        ended = jobs.submit(["true"], place, token=two, cpus_per_task=1)
        jobs.submit(["true"], place, cpus_per_task=1)
        jobs.wait(ended, JobState.ENDED)
        found = jobs.run(jobs.scheduler.find([one, two, none]))
        assert (found[one], found[two]) == (running, ended)
        assert none not in found and "" not in found
        assert none not in jobs.run(jobs.scheduler.find([none]))

    def test_the_newest_job_of_a_token_is_found(self, jobs: Jobs, place: Path) -> None:
        token = secrets.token_hex(12)
        first = jobs.submit(["true"], place, token=token)
        jobs.wait(first, JobState.ENDED)
        second = jobs.submit(["true"], place, token=token)
        assert second != first
        assert jobs.run(jobs.scheduler.find([token]))[token] == second

    def test_the_site_describes_itself(self, jobs: Jobs) -> None:
        scheduler = jobs.scheduler
        site = jobs.run(scheduler.site())
        assert site.scheduler == scheduler.name
        names = [partition.name for partition in site.partitions]
        assert len(set(names)) == len(names) and all(names)
        assert sum(partition.is_default for partition in site.partitions) <= 1
        for partition in site.partitions:
            assert partition.cpus_per_node >= 0 and partition.mem_mb_per_node >= 0
            assert 0 <= partition.nodes_idle <= partition.nodes_total
        again = jobs.run(scheduler.site(user="somebody"))
        assert [partition.name for partition in again.partitions] == names
        assert again.accounts == ()

    def test_no_answer_is_not_an_answer(self, jobs: Jobs, unreachable: Mapping[str, str], place: Path) -> None:
        """Where nobody answers, nothing is concluded: neither that a job is gone, nor that one was refused."""
        scheduler, job = jobs.scheduler, JobId("1")
        steps: list[Asking[object]] = [
            scheduler.submit(jobs.spec(["true"], place)),
            scheduler.find(["a"]),
            scheduler.query([job]),
            scheduler.settle(job),
            scheduler.cancel([job]),
            scheduler.signal(job, signal.SIGUSR1),
            scheduler.site(),
        ]
        for step in steps:
            with pytest.raises(SchedulerUnreachable) as error:
                jobs.run(step, **unreachable)
            assert error.value.transient and error.value.hint

    def test_an_estimate_submits_nothing(self, jobs: Jobs, place: Path) -> None:
        token = secrets.token_hex(12)
        spec = jobs.spec(["touch", f"{place}/ran"], place, token=token, time_minutes=5)
        asking = jobs.scheduler.estimate(spec)
        if asking is not None:
            estimate = jobs.run(asking)
            assert estimate.start is None or time.strptime(estimate.start, "%Y-%m-%dT%H:%M:%S")
        assert token not in jobs.run(jobs.scheduler.find([token]))
        assert list(place.iterdir()) == []

    def test_what_is_shown_is_what_is_submitted(self, jobs: Jobs, place: Path) -> None:
        spec = jobs.spec(["true", "a b"], place, token=secrets.token_hex(12))
        first = opening(jobs.scheduler.submit(spec))
        assert first == opening(jobs.scheduler.submit(spec))
        assert first.shown and len(first.shown.splitlines()) == 1

    # -- refusals

    def test_what_nobody_gets_is_refused_in_words_with_a_hint(self, jobs: Jobs, place: Path) -> None:
        for resources in self.refused:
            with pytest.raises(SubmitRefused) as refusal:
                jobs.submit(["true"], place, **resources)  # type: ignore[arg-type]
            _is_a_sentence(refusal.value)

    def test_an_estimate_of_what_nobody_gets_is_a_refusal(self, jobs: Jobs, place: Path) -> None:
        for resources in self.refused:
            asking = jobs.scheduler.estimate(jobs.spec(["true"], place, **resources))  # type: ignore[arg-type]
            if asking is not None:
                with pytest.raises(SubmitRefused) as refusal:
                    jobs.run(asking)
                _is_a_sentence(refusal.value)

    @pytest.mark.parametrize("path", ["relative", "/nul\0", "-dash"])
    def test_paths_that_cannot_be_are_refused_before_launch(self, jobs: Jobs, path: str) -> None:
        with pytest.raises(RequestError):
            opening(jobs.scheduler.submit(JobSpec("x", ("true",), Resources(), path, "/dev/null")))
        with pytest.raises(RequestError):
            opening(jobs.scheduler.submit(JobSpec("x", ("true",), Resources(), "/", path)))

    def test_a_word_with_a_nul_is_refused_before_launch(self, jobs: Jobs) -> None:
        with pytest.raises(RequestError):
            opening(jobs.scheduler.submit(JobSpec("x", ("echo", "a\0b"), Resources(), "/", "/dev/null")))

    # -- words

    def test_words_arrive_as_they_are(self, jobs: Jobs, place: Path) -> None:
        words = [*NAMES, "", " c\t", "\n", "a\\b", "*", "~", "a;b", "#SBATCH --nodes=9", "last"]
        program = "import json, pathlib, sys; pathlib.Path('words').write_text(json.dumps(sys.argv[1:]))"
        end = jobs.ended(jobs.submit([sys.executable, "-c", program, *words], place))
        assert end.ending is Ending.COMPLETED, (place / "job.log").read_text()
        assert json.loads((place / "words").read_text()) == words

    @pytest.mark.parametrize("name", NAMES)
    def test_awkward_names_and_directories_work(self, jobs: Jobs, place: Path, name: str) -> None:
        directory = place / name
        directory.mkdir()
        script = ["sh", "-c", "pwd; echo done >&2; exit 3"]
        job = jobs.submit(script, directory, name=name, log_file=f"{directory}/{name}.log")
        end = jobs.ended(job)
        assert (end.state, end.ending, end.exit_code) == (JobState.ENDED, Ending.FAILED, 3)
        assert (directory / f"{name}.log").read_text() == f"{directory}\ndone\n"

    def test_a_name_cannot_add_options_or_commands(self, jobs: Jobs, place: Path) -> None:
        name = f"x\n#SBATCH --output={place}/stolen\ntouch {place}/stolen JobState=FAILED ExitCode=9:9"
        end = jobs.ended(jobs.submit(["true"], place, name=name))
        assert (end.ending, end.exit_code, end.signal) == (Ending.COMPLETED, 0, None)
        assert not (place / "stolen").exists()

    def test_the_log_is_added_to(self, jobs: Jobs, place: Path) -> None:
        (place / "job.log").write_text("before\n")
        jobs.ended(jobs.submit(["echo", "after"], place))
        assert (place / "job.log").read_text() == "before\nafter\n"


def _is_a_sentence(refusal: SubmitRefused) -> None:
    assert refusal.message and len(refusal.message.splitlines()) == 1
    assert "error:" not in refusal.message
    assert refusal.hint
