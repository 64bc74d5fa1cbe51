"""Ctrl-C while the kernel itself packs or unpacks values: one sentence, and no file stays."""

import os
import signal

import numpy as np
import pytest
from IPython.utils.capture import capture_output

from jupyter_hpcctr.guest.mpirun import segment, session
from jupyter_hpcctr.guest.mpirun.errors import Interrupted, RankError
from jupyter_hpcctr.guest.mpirun.view import View


@pytest.fixture
def hub(hub, tmp_path, monkeypatch):
    """It has the names of all segments of a test, and the places where they can be."""
    hub.names, hub.places = [], (segment.MEMORY, str(tmp_path))
    make = segment.new_name

    def new_name(*owner):
        hub.names.append(make(*owner))
        return hub.names[-1]

    monkeypatch.setattr(segment, "new_name", new_name)
    monkeypatch.setattr(session, "new_name", new_name)
    return hub


@pytest.fixture
def shell(shell):
    """The ranks have its u."""
    shell.user_ns.update(u=np.arange(1000.0))
    with capture_output():
        shell.run_cell("%mpirun push u")
    return shell


def press(*_):
    os.kill(os.getpid(), signal.SIGINT)


class Slow:
    """Is interrupted when it is pickled, or read."""

    def __reduce__(self):
        press()
        return press, ()


def before(function):
    pressing = [press]
    return lambda *args, **kwargs: (pressing and pressing.pop()(), function(*args, **kwargs))[1]


def behind(function):
    pressing = [press]
    return lambda *args, **kwargs: (function(*args, **kwargs), pressing and pressing.pop()())[0]


def check(shell, hub, code):
    with capture_output() as captured:
        result = shell.run_cell(code)
    assert isinstance(result.error_in_exec, Interrupted)
    assert "KeyboardInterrupt\x1b[0m: " in captured.stdout and "interrupted" in captured.stdout
    assert ".py" not in captured.stdout + captured.stderr and "-->" not in captured.stdout
    assert hub.names and not [name for name in hub.names for place in hub.places if os.path.exists(f"{place}/{name}")]
    with capture_output():
        assert shell.run_cell("%mpirun status").success
    return captured.stdout


PUSHING = [
    (segment, "_write_bytes", before),
    (segment, "_write_bytes", behind),
    (segment.os, "posix_fallocate", before),
    (session.Segment, "create", behind),
    (session, "pack", behind),
    (session, "_start_fields", before),
]


@pytest.mark.parametrize(("place", "name", "when"), PUSHING)
def test_a_push_that_is_interrupted_while_it_packs(shell, hub, monkeypatch, place, name, when):
    monkeypatch.setattr(place, name, when(getattr(place, name)))
    assert "interrupted while values were moved" in check(shell, hub, "%mpirun push u")


def test_a_push_whose_pickle_is_interrupted(shell, hub):
    shell.user_ns["slow"] = [np.arange(1000.0), Slow()]
    assert "interrupted while values were moved" in check(shell, hub, "%mpirun push u slow")


PULL, COLLECT = "u = 1\n%mpirun pull u", "%%mpirun --collect u\npass"
PULLING = [
    (session, "unpack", before, PULL),
    (session, "unpack", before, COLLECT),
    (session, "unpack", behind, PULL),
    (session.Segment, "open", behind, COLLECT),
    (View, "close", behind, PULL),
    (session.Session, "_ask", behind, PULL),
]


@pytest.mark.parametrize(("place", "name", "when", "code"), PULLING)
def test_a_pull_that_is_interrupted_while_it_unpacks(shell, hub, monkeypatch, place, name, when, code):
    monkeypatch.setattr(place, name, when(getattr(place, name)))
    assert "interrupted while values were moved" in check(shell, hub, code)


def test_the_sentence_on_ranks_that_failed_is_bounded(shell, hub):
    def execute(hub, request):
        for rank in range(4):
            hub.say("failure", ranks=[rank], ename="E", evalue=f"{rank}" * 9000, traceback=["E"])
        return {"status": "error", "respawned": False}

    hub.scripts["execute"] = execute
    with capture_output():
        error = shell.run_cell("%%mpirun\n1/0").error_in_exec
    assert isinstance(error, RankError)
    assert len(str(error)) < 11_000 and "characters are left out" in str(error)
