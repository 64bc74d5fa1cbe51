"""What a rank prints, read from a real FIFO: text and marks in order, whatever a read happens to catch."""

import fcntl
import os
import threading

import pytest

from jupyter_hpcctr.ranks.fifo import Fifo

TOKEN = "0123456789abcdef" * 2


def mark(number, token=TOKEN):
    return b"\0" + token.encode() + b"%08d\n" % number


def together(pieces):
    """Join neighbouring text: where it is cut means nothing."""
    joined = []
    for piece in pieces:
        if joined and isinstance(piece, str) and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined


class Ends:
    """Both ends of a FIFO."""

    def __init__(self, path):
        os.mkfifo(path)
        self.fifo = Fifo(str(path), TOKEN)
        self.writer = os.open(path, os.O_WRONLY)
        os.unlink(path)

    def write(self, data):
        assert os.write(self.writer, data) == len(data)
        return self.fifo.read()

    def hang_up(self):
        os.close(self.writer)
        self.fifo.read()
        return together(self.fifo.pieces)


@pytest.fixture
def make(tmp_path):
    made = []

    def make():
        made.append(Ends(tmp_path / "fifo"))
        return made[-1]

    yield make
    for ends in made:
        ends.fifo.close()


MIXED = b"a\xc3\xa9" + mark(1) + mark(2) + b"\0b\0\0" + mark(3) + b"\xf0\x9f\x8c\x8d\n" + mark(12345678) + b"\xff!"
READ = ["aé", 1, 2, "\0b\0\0", 3, "🌍\n", 12345678, "\ufffd!"]


def test_marks_are_found_wherever_a_read_ends(make):
    for at in range(len(MIXED) + 1):
        ends = make()
        ends.write(MIXED[:at]) if at else None
        ends.write(MIXED[at:]) if at < len(MIXED) else None
        assert ends.hang_up() == READ, at


def test_marks_are_found_byte_by_byte(make):
    ends = make()
    for at in range(len(MIXED)):
        ends.write(MIXED[at : at + 1])
    assert ends.hang_up() == READ


@pytest.mark.parametrize(
    "data",
    [
        b"\0",
        b"\0\0\0",
        TOKEN.encode() + b"00000001\n",
        b"\0" + TOKEN[:-1].encode(),
        mark(1, TOKEN[::-1]),
        mark(1)[:-1],
        b"\0" + TOKEN.encode() + b"0000x001\n",
        b"\0" + TOKEN.encode() + b" 1234567\n",
        b"\0" + TOKEN.encode() + b"12345678x",
        b"\0" + TOKEN.encode() + "\u00b2".encode() * 4 + b"\n",
    ],
    ids=repr,
)
def test_nothing_else_is_a_mark(make, data):
    ends = make()
    for at in range(len(data)):
        ends.write(data[at : at + 1])
    ends.write(mark(7) + b"after")
    assert ends.hang_up() == [data.decode(), 7, "after"]
    alone = make()
    alone.write(data)
    assert alone.hang_up() == [data.decode()]


def test_text_waits_only_while_it_may_be_a_mark(make):
    ends = make()
    ends.write(b"a\0")
    assert together(ends.fifo.pieces) == ["a"]
    ends.write(b"b")
    assert together(ends.fifo.pieces) == ["a\0b"]
    ends.write(mark(1)[:-1])
    assert together(ends.fifo.pieces) == ["a\0b"]
    ends.write(b"\n")
    assert together(ends.fifo.pieces) == ["a\0b", 1]


def test_bytes_that_are_no_text_do_no_harm(make):
    ends = make()
    ends.write(b"\xff\xfe|\xe2\x82")
    assert together(ends.fifo.pieces) == ["\ufffd\ufffd|"]
    ends.write(b"\xac|\xe2\x82|\xc3")
    assert together(ends.fifo.pieces) == ["\ufffd\ufffd|€|\ufffd|"]
    assert ends.hang_up() == ["\ufffd\ufffd|€|\ufffd|\ufffd"]


def test_it_has_ended_when_every_writer_has(make):
    ends = make()
    assert (ends.fifo.read(), ends.fifo.ended) == (0, False)
    assert (ends.write(b"x"), ends.fifo.ended) == (1, False)
    ends.hang_up()
    assert ends.fifo.ended
    assert ends.fifo.read() == 0


def test_much_comes_whole_and_in_order_and_a_read_takes_a_part(make):
    ends = make()
    parts = [(f"{number:06d}" * 60_000 + "\n").encode() + mark(number) for number in range(24)]

    def write():
        left = memoryview(b"".join(parts))
        while left:
            left = left[os.write(ends.writer, left) :]

    writer = threading.Thread(target=write)
    writer.start()
    most = 0
    while writer.is_alive():
        most = max(most, ends.fifo.read(most=1000))
    writer.join()
    found = ends.hang_up()
    assert [piece for piece in found if isinstance(piece, int)] == list(range(24))
    assert [text for text in found if isinstance(text, str)] == [f"{n:06d}" * 60_000 + "\n" for n in range(24)]
    assert 0 < most <= 1024 * 1024


def test_a_user_with_too_many_large_pipes_gets_smaller_ones(make, monkeypatch):
    asked = []

    def refuse(descriptor, command, size):
        asked.append((command, size))
        raise PermissionError

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    ends = make()
    assert asked == [(1031, 256 * 1024)]  # F_SETPIPE_SZ
    ends.write(b"x")
    assert ends.hang_up() == ["x"]


def test_who_hangs_up_is_not_written_to(make, tmp_path):
    ends = make()
    other = Ends(tmp_path / "other")
    other.fifo.close()
    with pytest.raises(BrokenPipeError):
        os.write(other.writer, b"x")
    os.close(other.writer)
    assert ends.write(b"x") == 1
