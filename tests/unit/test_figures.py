"""Counts and times, as an administrator gets them."""

import contextlib
import subprocess
import sys
import threading

import pytest

from jupyter_hpcctr.core.job import Command
from jupyter_hpcctr.edge import process
from jupyter_hpcctr.edge.figures import Counts, Times
from jupyter_hpcctr.errors import CommandError


def test_nothing_is_lost_when_threads_count_at_once():
    counts, times = Counts(), Times(0.5)

    def count():
        for _ in range(1000):
            counts.add("a", "b")
            times.add(0.25, "a")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert counts.found() == {("a", "b"): 4000}
    assert times.found() == {("a",): ((4000, 4000), 1000.0)}


def test_times_are_counted_up_to_each_bound_and_beyond():
    times = Times(1.0, 10.0)
    for seconds in (0.5, 1.0, 1.5, 100.0):
        times.add(seconds)
    assert times.found() == {(): ((2, 3, 4), 103.0)}


@pytest.fixture
def seconds(monkeypatch):
    """What has been measured of commands since."""
    times = Times(60.0)
    monkeypatch.setattr(process, "SECONDS", times)
    return times


@pytest.mark.parametrize(
    ("words", "labels"),
    [
        (("true",), ("true", "ok")),
        (("/bin/sh", "-c", "exit 3"), ("sh", "failed")),
        (("sleep", "100"), ("sleep", "timeout")),
        (("no-such-program",), ("no-such-program", "missing")),
        ((sys.executable, "-m", "json.tool", "--help"), ("tool", "ok")),
        (("true", *["x" * 100_000] * 100), ("true", "other")),
    ],
)
def test_each_command_is_timed_by_its_name_and_outcome(seconds, words, labels):
    with contextlib.suppress(CommandError):
        process.run(Command(words), timeout_s=0.2 if words[0] == "sleep" else 30)
    assert {found: spread.counts for found, spread in seconds.found().items()} == {labels: (1, 1)}


def test_a_command_that_is_no_longer_wanted_is_timed_too(seconds, monkeypatch):
    def refuse(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "run", refuse)
    with pytest.raises(KeyboardInterrupt):
        process.run(Command(("true",)))
    assert list(seconds.found()) == [("true", "other")]
