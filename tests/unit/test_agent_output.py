"""What an agent does with output for which there is no more room: cut, counted and said, and every cell still ends."""

import pytest
import zmq

from jupyter_hpcctr.agent.output import Output
from jupyter_hpcctr.guest import wire

KEY = b"k3y"


class Line:
    """A line with room for ``room`` messages, which takes what is forced all the same."""

    def __init__(self):
        self.room, self.sent = 0, []

    def send(self, channel, frames, *, force=False):
        if not self.room and not force:
            return False
        self.room -= bool(self.room)
        message = wire.unpack(KEY, [f.bytes if isinstance(f, zmq.Frame) else f for f in frames])
        self.sent.append((message.kind, message.parent.get("msg_id"), message.content))
        return True


@pytest.fixture
def line():
    return Line()


@pytest.fixture
def output(line):
    return Output(line, KEY)


@pytest.fixture
def say(output):
    def run(kind, cell, channel=b"iopub", **content):
        frames = wire.pack(KEY, kind, content, session="s", parent={"msg_id": cell}, idents=[b"topic"])
        output.send(channel, [zmq.Frame(frame) for frame in frames])

    return run


def test_output_that_has_room_passes_as_it_is(line, say):
    line.room = 2
    say("stream", "a", name="stdout", text="1")
    say("execute_reply", "a", b"shell", status="ok")
    assert [kind for kind, _, _ in line.sent] == ["stream", "execute_reply"]


def test_a_cell_whose_output_is_cut_says_how_much_and_ends(line, say):
    for _ in range(3):
        say("stream", "a", name="stdout", text="x" * 1_000_000)
    say("stream", "b", name="stdout", text="y")
    assert line.sent == []
    say("execute_reply", "a", b"shell", status="ok")
    say("status", "a", execution_state="idle")
    kinds = [(kind, cell) for kind, cell, _ in line.sent]
    assert kinds == [("stream", "a"), ("stream", "b"), ("execute_reply", "a"), ("status", "a")]
    assert "3.0 MB of output (messages: 3) are missing here" in line.sent[0][2]["text"]


def test_output_goes_on_behind_the_line_that_says_what_is_missing(line, say):
    say("stream", "a", name="stdout", text="1")
    line.room = 5
    say("stream", "a", name="stdout", text="2")
    say("stream", "a", name="stdout", text="3")
    texts = [content["text"] for _, _, content in line.sent]
    assert "(messages: 1) are missing" in texts[0]
    assert texts[1:] == ["2", "3"]


def test_errors_states_and_replies_are_never_cut(line, say):
    for kind in ("error", "status", "execute_input"):
        say(kind, "a")
    say("input_request", "a", b"stdin")
    assert [kind for kind, _, _ in line.sent] == ["error", "status", "execute_input", "input_request"]


@pytest.mark.parametrize("kind", ["clear_output", "comm_open", "comm_close"])
def test_what_a_cell_can_repeat_without_end_takes_no_memory_without_end(line, say, kind):
    for _ in range(100):
        say(kind, "a")
    assert line.sent == []


def test_a_notice_is_given_once_in_the_cell_that_runs(line, say, output):
    line.room = 10
    output.notice("The disk is full.")
    say("status", "a", execution_state="busy")
    say("execute_reply", "a", b"shell", status="ok")
    say("stream", "b", name="stdout", text="1")
    say("stream", "b", name="stdout", text="2")
    told = ("stream", "b", {"name": "stderr", "text": "The disk is full."})
    assert [kind for kind, _, _ in line.sent] == ["status", "execute_reply", "stream", "stream", "stream"]
    assert line.sent.index(told) == 2
    assert line.sent.count(told) == 1


def test_a_notice_for_which_there_is_no_room_waits(line, say, output):
    output.notice("The disk is full.")
    say("stream", "a", name="stdout", text="1")
    assert line.sent == []
    line.room = 10
    say("stream", "a", name="stdout", text="2")
    assert "The disk is full." in [content["text"] for _, _, content in line.sent]
