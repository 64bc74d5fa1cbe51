"""One rank as its relay sees it: what it prints and what it says otherwise, in the order in which it did."""

import os
import threading

import pytest

from jupyter_hpcctr.ranks.bundle import Bundle
from jupyter_hpcctr.ranks.process import RankProcess
from jupyter_hpcctr.ranks.spill import Spill

TOKEN = "ab" * 16


class Rank:
    """A rank's ends of its FIFOs, and its relay's."""

    def __init__(self, directory):
        self.fds_before = open_fds()
        for name in ("w.3.out", "w.3.err"):
            os.mkfifo(directory / name)
        self.process = RankProcess("w", 3, directory=str(directory), token=TOKEN, wrapper=os.getpid())
        self.out, self.err = (os.open(directory / name, os.O_WRONLY) for name in ("w.3.out", "w.3.err"))
        self.bundle = Bundle()

    def print(self, stdout=None, stderr=None):
        for descriptor, text in ((self.out, stdout), (self.err, stderr)):
            if text is not None:
                data = b"\0" + TOKEN.encode() + b"%08d\n" % text if isinstance(text, int) else text.encode()
                assert os.write(descriptor, data) == len(data)
        self.process.out.read()
        self.process.err.read()

    def told(self):
        """What the bundle got since the last time, without the rank."""
        self.process.pump(self.bundle)
        items = self.bundle.take()
        assert all(item[1] == [3] for item in items)
        return [(kind, *rest) for kind, _, *rest in items]


def open_fds():
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def rank(tmp_path):
    made = Rank(tmp_path)
    yield made
    made.process.close()
    os.close(made.out)
    os.close(made.err)
    assert open_fds() == made.fds_before


def test_text_is_handed_on_at_once(rank):
    rank.print("a", "b")
    assert rank.told() == [("out", "stdout", "a"), ("out", "stderr", "b")]


def test_a_message_comes_between_the_text_before_it_and_the_text_after_it(rank):
    rank.print("before", "grumble")
    rank.print(1, 1)
    rank.print("after", "moan")
    rank.process.say(1, "display", "a picture")
    assert rank.told() == [
        ("out", "stdout", "before"),
        ("out", "stderr", "grumble"),
        ("display", "a picture"),
        ("out", "stdout", "after"),
        ("out", "stderr", "moan"),
    ]


@pytest.mark.parametrize("order", ["message out err", "out err message", "err message out"])
def test_a_message_needs_itself_and_both_marks(rank, order):
    steps = {
        "message": lambda: rank.process.say(1, "done", 7, "ok", None),
        "out": lambda: rank.print(stdout=1),
        "err": lambda: rank.print(stderr=1),
    }
    first, second, third = order.split()
    for step in (first, second):
        steps[step]()
        assert rank.told() == []
    steps[third]()
    assert rank.told() == [("done", 7, "ok", None)]


def test_text_behind_a_mark_waits_for_the_message(rank):
    rank.print(1, 1)
    rank.print("after")
    assert rank.told() == []
    rank.print(stderr="also after")
    rank.process.say(1, "display", "first")
    rank.process.say(2, "display", "second")
    assert rank.told() == [("display", "first"), ("out", "stdout", "after"), ("out", "stderr", "also after")]
    rank.print(2, 2)
    assert rank.told() == [("display", "second")]


def test_a_stream_that_is_ahead_waits_for_the_other(rank):
    for number in (1, 2):
        rank.process.say(number, "display", number)
        rank.print(stdout=number)
        rank.print(stdout=f"out {number}")
    assert rank.told() == []
    rank.print(stderr="err")
    rank.print(stderr=1)
    assert rank.told() == [("out", "stderr", "err"), ("display", 1), ("out", "stdout", "out 1")]
    rank.print(stderr=2)
    assert rank.told() == [("display", 2), ("out", "stdout", "out 2")]


def test_what_is_too_much_is_told_before_the_cell_is_done(rank, tmp_path):
    rank.process.spill = Spill(str(tmp_path), "spilled", 4)
    rank.print("abc", "def")
    rank.print(1, 1)
    rank.process.say(1, "done", 7, "ok", None)
    assert rank.told() == [
        ("out", "stdout", "abc"),
        ("out", "stderr", "d"),
        ("spilled", str(tmp_path / "spilled"), 6, ""),
        ("done", 7, "ok", None),
    ]
    rank.print("between cells nothing is counted")
    assert rank.told() == [("out", "stdout", "between cells nothing is counted")]


def test_the_last_words_come_before_the_end(rank, tmp_path):
    rank.process.spill = Spill(str(tmp_path), "spilled", 4)
    rank.process.say(1, "display", "a picture")
    for descriptor, text in ((rank.out, b"last "), (rank.out, b"words"), (rank.err, b"!")):
        os.write(descriptor, text)
    rank.process.status = -11
    rank.process.end(rank.bundle)
    told = rank.told()
    assert told[-1] == ("gone", -11)
    assert told[-2] == ("spilled", str(tmp_path / "spilled"), 11, "")
    assert ("display", "a picture") in told
    assert "".join(text for kind, *_, text in told if kind == "out") == "last"


def test_an_end_between_mark_and_message_loses_no_text(rank):
    rank.process.say(1, "display", "shown")
    rank.print(1, 1)
    rank.print("a", "x")
    rank.print(stdout=2)
    rank.print(stdout="b")
    rank.process.end(rank.bundle)
    told = rank.told()
    assert told[0] == ("display", "shown")
    assert [item[2] for item in told if item[:2] == ("out", "stdout")] == ["a", "b"]
    assert ("out", "stderr", "x") in told
    assert told[-1] == ("gone", None)


def test_a_message_is_owed_when_both_marks_are_there_without_it(rank):
    owed = []
    for step in (
        lambda: rank.print("text", "text"),
        lambda: rank.print(stdout=1),
        lambda: rank.print(stderr=1),
        lambda: rank.process.say(1, "display", "first"),
        lambda: rank.print(1, 1),  # a forked child's, that repeats them
        lambda: rank.process.say(2, "done", "second"),
        lambda: rank.print(2, 2),
        lambda: rank.print(3, 3),
    ):
        step()
        owed.append(rank.process.owes_message(rank.bundle))
    assert owed == [False, False, True, False, False, False, False, True]
    assert [item[0] for item in rank.told()] == ["out", "out", "display", "done"]


def test_a_process_that_has_ended_already_gets_no_signal(rank):
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(pid, 0)
    rank.process.entered(pid)
    rank.process.signal(15)
    assert rank.process.pid == pid


def test_marks_that_a_forked_child_repeats_keep_nothing_back(rank):
    for seq in (1, 1, 2, 1):
        rank.print(seq, seq)
    rank.process.say(1, "display", "first")
    rank.process.say(2, "done", "second")
    assert rank.told() == [("display", "first"), ("done", "second")]
    rank.print("text", None)
    rank.print(3, 3)
    rank.process.say(3, "done", "third")
    assert rank.told() == [("out", "stdout", "text"), ("done", "third")]


def test_what_a_rank_has_left_behind_may_print_for_ever(rank):
    going = True

    def flood():
        while going:
            os.write(rank.out, b"x" * 65536)

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        rank.process.end(rank.bundle)
        assert sum(len(item[3]) for item in rank.bundle.take() if item[0] == "out") < 4_000_000
    finally:
        going = False
        rank.process.out.read(most=1 << 20)
        thread.join()
