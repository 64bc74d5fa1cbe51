"""Views of launches: numbered, kept, told to all who observe, and the log behind them."""

import logging
from pathlib import Path

from jupyter_hpcctr.core.job import Ending
from jupyter_hpcctr.core.request import parse
from jupyter_hpcctr.errors import SubmitRefused
from jupyter_hpcctr.launch.joblog import KEPT_BYTES, JobLog
from jupyter_hpcctr.launch.observers import Observers
from jupyter_hpcctr.launch.progress import Progress
from jupyter_hpcctr.launch.view import LaunchView


class Said:
    """Stands for the front: keeps what it is to show."""

    def __init__(self):
        self.texts = []

    def say(self, text):
        self.texts.append(text)


def progress(observers, **request):
    front = Said()
    return Progress(observers, front, "a1", parse(request)), front


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
    told.say("It waits.", state="pending")
    assert [(view.nodes, view.message) for view in heard] == [("n1", ""), ("n1", "It waits.")]
    assert front.texts == ["It waits."]
    assert heard[-1].resources == {"nodes": 2, "time_minutes": 30} == heard[-1].request
    assert heard[-1].time_limit_minutes == 30


def test_phases_are_told_with_what_comes_next_and_never_change_in_a_view():
    told, _ = progress(Observers())
    told.mark("submitted")
    assert told.view.phases == {}
    told.tell(job="1")
    view = told.view
    told.mark("node up")
    assert list(view.phases) == ["submitted"]


def test_a_new_job_knows_nothing_of_the_last_one():
    told, _ = progress(Observers())
    told.tell(job="1", nodes="n1", end_time="2026-01-02T03:04:05")
    told.ended("It ended.", Ending.TIMEOUT)
    assert (told.view.state, told.view.ending, told.view.end_time) == ("ended", "TIMEOUT", None)
    assert told.view.job == "1"
    told.failed(SubmitRefused("No.", hint="Ask less."), "No. (Ask less.)")
    error = {"kind": "SubmitRefused", "stage": "scheduler", "message": "No.", "hint": "Ask less."}
    assert told.view.error == error | {"field": "", "transient": False}
    told.anew(scheduler="slurm", engine="bare")
    view = told.view
    assert (view.state, view.job, view.nodes, view.ending, view.error) == ("submitting", None, "", None, None)
    assert (view.scheduler, view.engine, view.phases) == ("slurm", "bare", {})


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
    log.keep()
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
    log.keep()
    assert log.read(0, 100) == ("", 0)
