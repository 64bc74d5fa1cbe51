"""How long the check before the first cell waits for a message."""

from types import SimpleNamespace

import pytest

from jupyter_hpcctr.guest.mpirun import check


@pytest.fixture
def clock(monkeypatch):
    """The time, and how much of it this process had a CPU: ``spend(waited, worked)``."""
    made = SimpleNamespace(now=100.0, worked=5.0)

    def spend(seconds, worked):
        made.now, made.worked = made.now + seconds, made.worked + worked

    made.spend = spend
    times = SimpleNamespace(monotonic=lambda: made.now, thread_time=lambda: made.worked)
    monkeypatch.setattr(check, "time", times)
    monkeypatch.setattr(check, "_own", [])
    return made


class Message:
    """A request of MPI that takes some questions until it is done, each of which costs time."""

    def __init__(self, clock, questions, seconds, worked):
        self._clock, self._left, self._costs = clock, questions, (seconds, worked)

    def Test(self):  # noqa: N802
        self._left -= 1
        self._clock.spend(*self._costs)
        return self._left <= 0


def test_a_message_that_nobody_sends_is_given_up_and_its_buffer_kept(clock):
    message = Message(clock, 10_000, 0.1, 0.1)
    with pytest.raises(check.Stuck) as stuck:
        check._wait(message, check.Patience())
    assert stuck.value.seconds == pytest.approx(check.PATIENCE_S, abs=0.2)
    assert check._own == [message]


def test_on_a_busy_machine_a_message_has_more_time(clock):
    check._wait(Message(clock, 100, 0.1, 0.005), check.Patience())
    assert clock.now - 100 > check.PATIENCE_S
    assert check._own == []


def test_no_message_is_waited_for_for_ever(clock):
    with pytest.raises(check.Stuck):
        check._wait(Message(clock, 10_000, 0.1, 0.0), check.Patience())
    assert clock.now - 100 == pytest.approx(check.PATIENCE_MOST_S, abs=0.2)
