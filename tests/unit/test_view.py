"""Views of launches: numbered, kept, told to all who observe, and the log behind them."""

import logging
import time
from pathlib import Path

from jupyter_hpcctr.core.job import Ending, JobId, JobState, JobStatus
from jupyter_hpcctr.core.life.effects import Facts, Mark, Say
from jupyter_hpcctr.core.life.words import words
from jupyter_hpcctr.core.request import parse
from jupyter_hpcctr.errors import SubmitRefused
from jupyter_hpcctr.launch.joblog import KEPT_BYTES, JobLog
from jupyter_hpcctr.launch.news import failure
from jupyter_hpcctr.launch.observers import Observers
from jupyter_hpcctr.launch.progress import Progress, first_view
from jupyter_hpcctr.launch.view import LaunchView


class Said:
    """Stands for the front: keeps what it is to show."""

    def __init__(self):
        self.texts = []

    def say(self, text):
        self.texts.append(text)


def progress(observers, **request):
    front = Said()
    return Progress(observers, front, first_view("a1", "", parse(request))), front


def test_every_change_is_numbered_and_told_to_all():
    observers, one, two = Observers(), [], []
    end = observers.observe(one.append)
    observers.observe(two.append)
    observers.tell(LaunchView("a"))
    observers.tell(LaunchView("b"))
    end()
    observers.tell(LaunchView("a", state="gone"))
    assert [(view.launch, view.seq) for view in one] == [("a", 1), ("b", 2)]
    assert [(view.launch, view.seq, view.state) for view in two][2:] == [("a", 3, "gone")]
    assert [view.launch for view in observers.views()] == ["b"]


def test_the_same_listener_twice_is_two_listeners():
    observers, heard = Observers(), []
    end = observers.observe(heard.append)
    observers.observe(heard.append)
    end()
    end()
    observers.tell(LaunchView("a"))
    assert len(heard) == 1


def test_a_listener_that_fails_harms_nobody(caplog):
    observers, heard = Observers(), []

    def fail(view):
        raise ValueError("no")

    observers.observe(fail)
    observers.observe(heard.append)
    with caplog.at_level(logging.ERROR):
        observers.tell(LaunchView("a"))
    assert len(heard) == 1 and "a listener failed" in caplog.text


def test_what_has_not_changed_is_not_told():
    observers, heard = Observers(), []
    observers.observe(heard.append)
    told, front = progress(observers, nodes=2, time=30)
    told.tell(nodes="n1")
    told.tell(nodes="n1")
    told.carry_out(Say("submitting", words("submitting")))
    told.carry_out(Say("submitting", words("submitting")))
    text = "The job is being submitted …"
    assert [(view.nodes, view.message) for view in heard] == [("n1", ""), ("n1", text)]
    assert front.texts == [text, text]
    assert heard[-1].resources == {"nodes": 2, "time_minutes": 30} == heard[-1].request
    assert heard[-1].time_limit_minutes == 30


def test_phases_are_told_with_what_comes_next_and_never_change_in_a_view():
    told, _ = progress(Observers())
    told.carry_out(Mark("submitted"))
    assert told.view.phases == {}
    told.tell(job="1")
    view = told.view
    told.carry_out(Mark("node up"))
    assert list(view.phases) == ["submitted"]
    told.carry_out(Mark("begin"))
    told.carry_out(Mark("queued", 3.0))
    told.tell(job="2")
    assert list(told.view.phases) == ["queued"] and told.view.phases["queued"] <= -2


def ended(ending):
    status = JobStatus(JobId("1"), JobState.ENDED, ending=ending)
    return Say("ended", words("ended", status=status), status=status)


def test_a_new_job_knows_nothing_of_the_last_one():
    told, _ = progress(Observers())
    told.asked(scheduler="slurm", engine="bare")
    told.tell(job="1", nodes="n1", end_time="2026-01-02T03:04:05")
    told.carry_out(ended(Ending.TIMEOUT))
    assert (told.view.state, told.view.ending, told.view.end_time) == ("ended", "TIMEOUT", None)
    assert told.view.job == "1"
    no = failure(SubmitRefused("No.", hint="Ask less."))
    told.carry_out(Say("ended", words("failed", failure=no), failure=no))
    assert told.view.error == {
        "kind": "SubmitRefused", "stage": "scheduler", "message": "No.", "hint": "Ask less.",
        "field": "", "transient": False,
    }  # fmt: skip
    assert told.view.message.startswith("No. (Ask less.)")
    told.carry_out(Say("submitting", words("submitting")))
    view = told.view
    assert (view.state, view.job, view.nodes, view.ending, view.error) == ("submitting", None, "", None, None)
    assert (view.scheduler, view.engine, view.phases) == ("slurm", "bare", {})


def test_a_job_that_ended_and_was_requeued_is_the_same_job_and_has_no_ending():
    told, _ = progress(Observers())
    told.tell(job="1", nodes="n1")
    told.carry_out(ended(Ending.NODE_FAIL))
    status = JobStatus(JobId("1"), JobState.PENDING, "BeginTime", expected_start="2026-01-02T03:04:05")
    told.carry_out(Say("pending", words("requeued", status=status), status=status))
    view = told.view
    assert (view.state, view.job, view.nodes, view.ending) == ("pending", "1", "", None)
    assert (view.reason, view.expected_start) == ("BeginTime", "2026-01-02T03:04:05")
    assert "put back into the queue" in view.message
    told.carry_out(Say("starting", words("node up", node="n2", age_s=0.0)))
    assert (told.view.nodes, told.view.reason, told.view.expected_start) == ("n2", "", None)


def test_the_end_of_a_job_is_reckoned_from_its_age_until_the_scheduler_says_it():
    told, _ = progress(Observers(), time=30)
    told.carry_out(Say("starting", words("node up", node="n1", age_s=60.0)))
    left = time.mktime(time.strptime(told.view.end_time, "%Y-%m-%dT%H:%M:%S")) - time.time()
    assert 28 * 60 < left <= 29 * 60
    told.carry_out(Facts(JobStatus(JobId("1"), JobState.RUNNING, nodes="n[1-2]", end_time="2026-01-02T03:04:05")))
    assert (told.view.nodes, told.view.end_time) == ("n[1-2]", "2026-01-02T03:04:05")


def test_gone_is_the_last_word():
    observers, heard = Observers(), []
    observers.observe(heard.append)
    told, _ = progress(observers)
    told.tell(state="gone")
    told.tell(state="running")
    assert [view.state for view in heard] == ["gone"]


def log_of(path: Path, text: bytes) -> JobLog:
    path.write_bytes(text)
    log = JobLog()
    log.begin(path)
    return log


def test_a_log_is_read_from_where_the_reader_was(tmp_path):
    log = log_of(tmp_path / "log", b"one\n")
    assert log.read(0, 100) == ("one\n", 4)
    with (tmp_path / "log").open("ab") as file:
        file.write(b"two\n")
    assert log.read(4, 2) == ("tw", 6)
    assert log.read(6, 100) == ("o\n", 8)
    assert log.read(8, 100) == ("", 8)


def test_a_character_that_is_not_whole_waits(tmp_path):
    log = log_of(tmp_path / "log", "a☃".encode()[:-1])
    assert log.read(0, 100) == ("a", 1)
    (tmp_path / "log").write_bytes("a☃b".encode())
    assert log.read(1, 3) == ("☃", 4)
    assert log.read(1, 2) == ("", 1)


def test_the_end_of_a_log_outlives_its_file(tmp_path):
    log = log_of(tmp_path / "log", b"x" * 10 + b"y" * KEPT_BYTES)
    log.keep(tmp_path / "log")
    (tmp_path / "log").unlink()
    text, offset = log.read(0, 2 * KEPT_BYTES)
    assert (text, offset) == ("y" * KEPT_BYTES, KEPT_BYTES + 10)
    (tmp_path / "next").write_bytes(b"of the next job")
    log.begin(tmp_path / "next")
    assert log.read(offset, 100) == ("of the next job", offset + 15)
    assert log.read(offset - 2, 5) == ("yyof ", offset + 3)


def test_a_log_that_is_not_there_is_empty(tmp_path):
    log = JobLog()
    assert log.read(0, 100) == ("", 0)
    log.begin(tmp_path / "none")
    assert log.read(5, 100) == ("", 5)
    log.keep(tmp_path / "none")
    assert log.read(0, 100) == ("", 0)


def test_a_log_goes_on_with_a_new_job_while_the_last_one_is_still_being_ended(tmp_path):
    log = log_of(tmp_path / "log", b"of the last job, ")
    (tmp_path / "next").write_bytes(b"of the next job")
    log.begin(tmp_path / "next")
    log.keep(tmp_path / "log")
    assert log.read(0, 100) == ("of the last job, of the next job", 32)
