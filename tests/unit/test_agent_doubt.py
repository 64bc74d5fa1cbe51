"""Whether a kernel that was killed has ended alone, or with its job: by a clock of the test's own."""

import signal
from types import SimpleNamespace

import pytest

from jupyter_hpcctr.agent import doubt
from jupyter_hpcctr.agent.doubt import DOUBT_S, TICK_MS, Doubt


@pytest.fixture
def clock(monkeypatch):
    made = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(doubt, "time", SimpleNamespace(monotonic=lambda: made.now))
    return made


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_a_kernel_that_somebody_else_has_killed_is_in_doubt_for_a_moment(clock, signum):
    it = Doubt()
    assert it.tick_ms is None
    assert it.holds(-signum) and it.tick_ms == TICK_MS
    clock.now += DOUBT_S / 2
    assert it.holds(-signum)
    clock.now += DOUBT_S / 2
    assert not it.holds(-signum)


@pytest.mark.parametrize("code", [0, 1, 128 + signal.SIGTERM, -signal.SIGSEGV, -signal.SIGINT])
def test_a_kernel_that_has_ended_by_itself_is_in_no_doubt(clock, code):
    it = Doubt()
    assert not it.holds(code) and it.tick_ms is None


def test_a_kernel_that_the_server_has_ended_is_in_no_doubt_and_one_that_it_interrupted_is(clock):
    it = Doubt()
    it.signalled(signal.SIGINT)
    assert it.holds(-signal.SIGKILL)
    it.signalled(signal.SIGKILL)
    it.signalled(signal.SIGINT)
    assert not it.holds(-signal.SIGKILL)
