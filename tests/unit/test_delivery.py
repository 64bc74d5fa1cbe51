"""Messages between two ends whose connections are cut at any moment, and what is kept meanwhile."""

import os

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from jupyter_hpcctr.delivery.kept import OVERHEAD, Kept
from jupyter_hpcctr.delivery.session import ACK_MESSAGES, Session, is_sync, read_sync


def message(text, size=0):
    return [b"shell", text.encode(), b"x" * size]


def drained(kept):
    found = []
    while kept:
        found.append(text(kept.pop()))
    return found


def text(frames):
    return bytes(frames[1]).decode()


def test_what_is_kept_comes_out_in_order_from_memory_and_files(tmp_path):
    kept = Kept(str(tmp_path / "kept"), memory=3 * OVERHEAD + 500, files=10_000_000)
    for number in range(100):
        assert kept.put(message(str(number), 100))
        if number == 50:
            assert [kept.pop()[1], kept.pop()[1]] == [b"0", b"1"]
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o700
    assert os.listdir(tmp_path / "kept") == []  # a process that is killed leaves nothing
    assert drained(kept) == [str(number) for number in range(2, 100)]
    assert (kept.bytes, kept.drained) == (0, True)


def test_a_file_that_has_been_read_gives_back_its_room_while_others_wait(tmp_path, monkeypatch):
    monkeypatch.setattr("jupyter_hpcctr.delivery.kept.FILE_BYTES", 1000)
    before = len(os.listdir("/proc/self/fd"))
    kept = Kept(str(tmp_path / "kept"), memory=0)
    for number in range(100):
        kept.put(message(str(number), 100))
    full = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        kept.pop()
    assert before < len(os.listdir("/proc/self/fd")) < full
    kept.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_behind_its_bound_a_message_is_refused_or_forced_and_order_is_kept(tmp_path):
    kept = Kept(str(tmp_path / "kept"), memory=0, files=3 * OVERHEAD)
    assert [kept.put(message(text)) for text in "abc"] == [True, True, False]
    assert kept.put(message("forced"), force=True)
    assert kept.pop()[1] == b"a"
    assert not kept.put(message("d"))  # it would come before the forced one
    assert drained(kept) == ["b", "forced"]
    assert kept.put(message("e"))


def test_a_full_disk_refuses_and_keeps_what_was_whole(tmp_path, monkeypatch):
    kept = Kept(str(tmp_path / "kept"), memory=0)
    write = os.pwritev

    def full(fd, parts, at):
        if sum(map(len, parts)) > 100:
            return write(fd, [b"".join(parts)[:50]], at)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwritev", full)
    assert not kept.put(message("nothing is there yet", 100))
    assert not kept
    monkeypatch.undo()
    assert kept.put(message("a", 100))
    monkeypatch.setattr(os, "pwritev", full)
    assert not kept.put(message("b", 100))
    monkeypatch.undo()
    assert kept.put(message("c", 100))
    assert drained(kept) == ["a", "c"]


def test_what_is_damaged_is_counted_as_lost(tmp_path):
    kept = Kept(str(tmp_path / "kept"), memory=0)
    kept.put(message("a")), kept.put(message("b"))
    os.pwrite(kept._files[0]._fd, b"\x7f" * 16, 8)  # the lengths of the first one's frames
    assert kept.pop() is None
    assert (kept.lost, bool(kept)) == (2, False)


@pytest.mark.parametrize("most", [10_000_000, 5000, 777])
def test_a_message_of_very_many_pieces_is_read_as_it_was_written(tmp_path, monkeypatch, most):
    kept, write = Kept(str(tmp_path / "kept"), memory=0), os.pwritev

    def some(fd, parts, at):
        """As a disk that takes only a part of what it is given."""
        assert len(parts) <= 1024, "IOV_MAX"
        return write(fd, [b"".join(parts)[:most]], at)

    monkeypatch.setattr(os, "pwritev", some)
    sent = [[b"", b"a" * number, memoryview(b"b" * number), b""] * (1500 // (1 + number)) for number in range(4)]
    assert all(kept.put(frames) for frames in sent)
    assert [kept.pop() for _ in sent] == sent


def test_a_directory_that_is_removed_loses_nothing(tmp_path):
    kept = Kept(str(tmp_path / "kept"), memory=0)
    kept.put(message("a"))
    (tmp_path / "kept").rmdir()
    kept.put(message("b"))
    assert drained(kept) == ["a", "b"]
    kept.put(message("c"))
    assert drained(kept) == ["c"]


def test_what_cannot_be_read_is_counted_as_lost_and_the_rest_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr("jupyter_hpcctr.delivery.kept.FILE_BYTES", 300)
    kept = Kept(str(tmp_path / "kept"), memory=0)
    for number in range(6):
        kept.put(message(str(number), 100))
    os.ftruncate(kept._files[0]._fd, 200)  # in the middle of its second message
    found = drained(kept)
    assert kept.lost > 0
    assert found == ["0", *map(str, range(1 + kept.lost, 6))]


class Wire:
    """A connection of two directions, on which messages are under way until the test lets them arrive."""

    def __init__(self, number):
        self.number, self.open = number, True
        self.to_server, self.to_agent = [], []


class Ends(RuleBasedStateMachine):
    """An agent that dials and a server, as ``Line`` and ``Link`` use their sessions, without sockets or clock."""

    connections = Bundle("connections")

    def __init__(self):
        super().__init__()
        self.directory = f"/nonexistent-{os.getpid()}"  # memory is enough here
        self.dialled = 0
        self.line = self.route = None
        self.put = {"agent": [], "server": []}
        self.got = {"agent": [], "server": []}
        self.agent = Session(Kept(self.directory), self.from_agent, window=3 * OVERHEAD)
        self.server = Session(Kept(self.directory), self.from_server, window=3 * OVERHEAD)

    def from_agent(self, frames):
        if self.line is None:
            return False
        self.line.to_server.append(frames)
        return True

    def from_server(self, frames):
        if self.route is None or not self.route.open:
            return False
        self.route.to_agent.append(frames)
        return True

    @rule(target=connections)
    def dial(self):
        self.dialled += 1
        wire = Wire(self.dialled)
        self.agent.greet(lambda frames: wire.to_server.append(frames) or True, connection=wire.number)
        return wire

    @rule(wire=consumes(connections), noticed=st.booleans())
    def cut(self, wire, noticed):
        """A connection is gone with what was under way; the agent notices at once or only later."""
        wire.open = False
        wire.to_server.clear()
        wire.to_agent.clear()
        if noticed and self.line is wire:
            self.line = None
            self.agent.closed()

    @rule(end=st.sampled_from(("agent", "server")), number=st.integers(1, 5))
    def say(self, end, number):
        for _ in range(number):
            text = str(len(self.put[end]))
            self.put[end].append(text)
            assert getattr(self, end).put(message(text))

    @rule(wire=connections, number=st.integers(1, 4))
    def arrive_at_server(self, wire, number):
        for _ in range(min(number, len(wire.to_server))):
            head, *frames = wire.to_server.pop(0)
            if is_sync(head):
                if self.server.is_old(read_sync(frames)):
                    continue
                self.route = wire
            if self.server.receive(head, frames) is not None:
                self.got["server"].append(frames[1].decode())
            self.server.settle()

    @rule(wire=connections, number=st.integers(1, 4))
    def arrive_at_agent(self, wire, number):
        for _ in range(min(number, len(wire.to_agent))):
            if self.line is not None and wire.number < self.line.number:
                return  # Line has closed it
            self.line = wire
            head, *frames = wire.to_agent.pop(0)
            if self.agent.receive(head, frames) is not None:
                self.got["agent"].append(frames[1].decode())
            self.agent.settle()

    @rule(end=st.sampled_from(("agent", "server")))
    def acknowledge(self, end):
        getattr(self, end).acknowledge()

    @invariant()
    def everything_arrives_once_and_in_order(self):
        for end, other in (("agent", "server"), ("server", "agent")):
            assert self.got[other] == self.put[end][: len(self.got[other])]

    def teardown(self):
        """A connection that holds brings everything."""
        wire = self.dial()
        for _ in range(10_000):
            self.arrive_at_server(wire, 4)
            self.arrive_at_agent(wire, 4)
            self.server.acknowledge()
            self.agent.acknowledge()
            if self.agent.clear and self.server.clear and not wire.to_agent and not wire.to_server:
                break
            if len(wire.to_server) + len(wire.to_agent) <= 2 and self.agent.clear and self.server.clear:
                break
        assert self.got == {"server": self.put["agent"], "agent": self.put["server"]}
        assert self.agent.missed == self.server.missed == 0


TestEnds = Ends.TestCase
TestEnds.settings = settings(max_examples=150, stateful_step_count=40, deadline=None, derandomize=True)


def test_what_has_been_received_is_acknowledged_before_much_has_come(tmp_path):
    sent = []
    one = Session(Kept(str(tmp_path)), lambda frames: sent.append(frames) or True)
    other = Session(Kept(str(tmp_path)), lambda frames: True)
    other._open = True
    heads = []
    other._send = lambda frames: heads.append(frames) or True
    for number in range(ACK_MESSAGES):
        other.put(message(str(number)))
        head, *frames = heads[-1]
        assert one.receive(head, frames) is not None
        one.settle()
    assert len(sent) == 1
    other.receive(sent[0][0], [])
    assert other.clear


def test_a_new_server_gets_what_the_old_one_has_not_acknowledged(tmp_path):
    wires = {"old": [], "new": []}
    agent = Session(Kept(str(tmp_path)), lambda frames: False)
    old = Session(Kept(str(tmp_path)), lambda frames: wires["old"].append(frames) or True)
    agent._send = lambda frames: wires.setdefault("agent", []).append(frames) or True

    def meet(server, wire):
        agent.greet(connection=1)
        server.receive(wires["agent"][-1][0], wires["agent"][-1][1:])
        agent.receive(wires[wire][0][0], wires[wire][0][1:])

    meet(old, "old")
    agent.put(message("1")), agent.put(message("2"))
    one, two = wires["agent"][-2:]
    assert old.receive(one[0], one[1:]) is not None
    old.acknowledge()
    agent.receive(wires["old"][-1][0], [])
    new = Session(Kept(str(tmp_path)), lambda frames: wires["new"].append(frames) or True)
    meet(new, "new")
    again = wires["agent"][-1]
    assert [frame for frame in new.receive(again[0], again[1:])] == message("2")
    assert new.missed == 0


@pytest.mark.parametrize("head", [b"", b"\x01", b"\x03" + bytes(16)])
def test_what_is_no_message_is_refused(tmp_path, head):
    session = Session(Kept(str(tmp_path)), lambda frames: True)
    with pytest.raises(ValueError):
        session.receive(head, [b"{}"])
