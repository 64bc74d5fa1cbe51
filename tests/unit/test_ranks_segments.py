"""Values on their way between nodes, with both ends here: whole copies, and nothing left behind."""

import errno
import os

import pytest

from jupyter_hpcctr.ranks import segments
from jupyter_hpcctr.ranks.failure import RankError
from jupyter_hpcctr.ranks.segments import Copies, Shelf, Traffic

CHUNK = 1000
INSIDE = "/hpcctr/run"  # the private directory as containers see it


class OtherEnd:
    """Another node: what is sent to it waits until it is delivered."""

    def __init__(self, name, traffic, shelf):
        self.name, self.alive = name, True
        self.copies = Copies(lambda said, data: self.traffic.receive(name, said, data or b""), shelf)
        self.traffic = traffic
        self.waiting, self.most_waiting, self.orders = [], 0, []

    def send(self, order, data):
        self.waiting.append((order, data))
        self.orders.append(order["op"])
        moving = sum(order["op"] != "drop" for order, _ in self.waiting)
        self.most_waiting = max(self.most_waiting, moving)

    def deliver(self, how_many=None):
        now, self.waiting = self.waiting[:how_many], self.waiting[how_many or len(self.waiting) :]
        for order, data in now:
            self.copies.obey(order, b"" if data is None else bytes(data))


class Room:
    """A hub's traffic, two nodes, and the memory that they share here."""

    def __init__(self, place):
        self.place = place
        self.private = place.with_name(f"{place.name}-private")
        self.private.mkdir()
        self.shelf = Shelf(str(self.private), INSIDE)
        self.traffic = Traffic(lambda name: self.nodes[name].alive, self.shelf)
        self.nodes = {name: OtherEnd(name, self.traffic, self.shelf) for name in ("n2", "n3")}

    def run(self, flow, *, at_a_time=1):
        """Run a flow to its end, with nodes that carry out so many orders at a time."""
        try:
            while True:
                next(flow)
                for node in self.nodes.values():
                    node.deliver(at_a_time)
        except StopIteration as ended:
            return ended.value
        finally:
            for node in self.nodes.values():
                node.deliver()

    def segment(self, data, name="original"):
        (self.place / name).write_bytes(data or b"\0")
        return {"path": str(self.place / name), "bytes": len(data)}

    def files(self):
        return sorted(path.name for path in self.place.iterdir())

    def close(self):
        for node in self.nodes.values():
            node.copies.close()


@pytest.fixture
def room(tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "CHUNK", CHUNK)
    monkeypatch.setattr(segments, "_PLACE", str(tmp_path))
    fds = len(os.listdir("/proc/self/fd"))
    made = Room(tmp_path)
    yield made
    made.close()
    assert len(os.listdir("/proc/self/fd")) == fds


def some(size, seed=1):
    return bytes((seed + 7 * at + at // 251) % 256 for at in range(size))


def copy_at(node, segment):
    found = node.copies.here({"op": "push", "segment": segment})["segment"]
    with open(found["path"], "rb") as file:
        return found, file.read()


SIZES = [1, CHUNK - 1, CHUNK, CHUNK + 1, 4 * CHUNK, 11 * CHUNK + 17]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("at_a_time", [1, 3, None])
def test_a_segment_is_spread_to_nodes(room, size, at_a_time):
    data = some(size)
    segment = room.segment(data)
    nodes = list(room.nodes.values())
    room.run(room.traffic.spread(segment, nodes), at_a_time=at_a_time)
    copies = [copy_at(node, segment) for node in nodes]
    assert [content for _, content in copies] == [data, data]
    assert len({found["path"] for found, _ in copies} | {segment["path"]}) == 3
    assert all(found["bytes"] == size for found, _ in copies)
    assert max(node.most_waiting for node in nodes) <= segments.ON_THE_WAY
    for node in nodes:
        node.send({"op": "drop", "path": segment["path"]}, None)
        node.deliver()
    assert room.files() == ["original"]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("at_a_time", [1, 3, None])
def test_a_segment_is_gathered_from_a_node_and_dropped_there(room, size, at_a_time):
    data = some(size)
    found = room.run(room.traffic.gather(room.segment(data), room.nodes["n2"]), at_a_time=at_a_time)
    path = found.pop("path")
    assert found == {"bytes": size}
    with open(path, "rb") as file:
        assert file.read() == data
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert room.nodes["n2"].most_waiting <= segments.ON_THE_WAY
    assert room.files() == [os.path.basename(path)]


def test_what_a_node_does_not_have_is_left_as_it_is(room):
    node = room.nodes["n2"]
    for message in ({"op": "execute"}, {"op": "push", "segment": None}, {"op": "push", "segment": {"path": "/other"}}):
        assert node.copies.here(message) == message
    node.copies.obey({"op": "drop", "path": str(room.place / "never")}, b"")


def test_a_node_that_ends_leaves_no_copies(room):
    room.run(room.traffic.spread(room.segment(some(50)), list(room.nodes.values())))
    assert len(room.files()) == 3
    room.close()
    assert room.files() == ["original"]


def no_room(descriptor, offset, size):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_no_room_on_a_node(room, monkeypatch):
    monkeypatch.setattr(os, "posix_fallocate", no_room)
    with pytest.raises(RankError) as refused:
        room.run(room.traffic.spread(room.segment(some(9 * CHUNK)), list(room.nodes.values())))
    assert (refused.value.etype, str(refused.value)) == ("NoRoom", "node n2: No space left on device")
    assert refused.value.hint == "move less at a time"
    assert room.files() == ["original"]


def test_no_room_here(room, monkeypatch):
    segment = room.segment(some(9 * CHUNK))
    monkeypatch.setattr(os, "posix_fallocate", no_room)
    with pytest.raises(RankError) as refused:
        room.run(room.traffic.gather(segment, room.nodes["n2"]))
    assert (refused.value.etype, str(refused.value)) == (
        "NoRoom",
        "9000 bytes do not fit here: No space left on device",
    )
    assert room.files() == []


def test_a_node_that_does_not_have_it_any_more(room):
    segment = room.segment(some(9 * CHUNK))
    os.unlink(segment["path"])
    with pytest.raises(RankError) as refused:
        room.run(room.traffic.gather(segment, room.nodes["n2"]))
    assert str(refused.value) == "node n2: No such file or directory"
    assert room.files() == []


def test_a_segment_that_is_shorter_than_it_was_said_to_be(room):
    segment = {**room.segment(some(2 * CHUNK + 10)), "bytes": 5 * CHUNK}
    with pytest.raises(RankError, match="node n2: it is shorter than it was said to be"):
        room.run(room.traffic.gather(segment, room.nodes["n2"]))
    assert room.files() == []


@pytest.mark.parametrize("direction", ["spread", "gather"])
def test_a_node_that_is_lost_on_the_way(room, direction):
    segment, node = room.segment(some(9 * CHUNK)), room.nodes["n2"]
    flow = room.traffic.spread(segment, [node]) if direction == "spread" else room.traffic.gather(segment, node)
    next(flow)
    node.deliver(2)
    next(flow)
    node.alive = False
    with pytest.raises(RankError) as lost:
        next(flow)
    assert (lost.value.etype, str(lost.value)) == ("NodeLost", "node n2 does not answer any more")
    node.deliver()
    node.copies.close()
    assert room.files() == (["original"] if direction == "spread" else [])


def test_what_is_given_up_on_the_way_leaves_nothing(room):
    flow = room.traffic.gather(room.segment(some(9 * CHUNK)), room.nodes["n2"])
    next(flow)
    room.nodes["n2"].deliver(2)
    next(flow)
    flow.close()
    room.nodes["n2"].deliver()
    assert room.files() == []


@pytest.mark.parametrize("first", ["given up", "missing"])
def test_late_answers_are_not_taken_for_those_to_another_question(room, first):
    node = room.nodes["n2"]
    flow = room.traffic.gather(room.segment(some(9 * CHUNK)), node)
    next(flow)
    if first == "missing":
        os.unlink(room.place / "original")
    flow.close()
    data = some(6 * CHUNK, seed=100)
    found = room.run(room.traffic.gather(room.segment(data, "second"), node))
    with open(found["path"], "rb") as file:
        assert file.read() == data


def test_where_shared_memory_is_full_the_private_directory_is_used_as_containers_see_it(room, monkeypatch):
    monkeypatch.setattr(segments, "_PLACE", str(room.place / "not-there"))
    private = room.private
    data = os.urandom(3 * CHUNK + 7)
    (private / "original").write_bytes(data)
    segment = {"path": f"{INSIDE}/original", "bytes": len(data)}
    room.run(room.traffic.spread(segment, room.nodes.values()))
    here = [node.copies.here({"segment": segment})["segment"]["path"] for node in room.nodes.values()]
    assert all(path.startswith(f"{INSIDE}/hpcctr-") for path in here)
    assert [(private / os.path.basename(path)).read_bytes() for path in here] == [data, data]
    found = room.run(room.traffic.gather({"path": here[0], "bytes": len(data)}, room.nodes["n2"]))
    assert found["path"].startswith(f"{INSIDE}/hpcctr-")
    assert (private / os.path.basename(found["path"])).read_bytes() == data
    room.shelf.remove(found["path"])
    for node in room.nodes.values():
        node.copies.obey({"op": "drop", "path": segment["path"]}, b"")
    assert [path.name for path in private.iterdir()] == ["original"]
