"""A relay's orders to ranks, with real processes: tell, ask, kill, forget."""

import os

import pytest
from support.relays import W1, W2, W3, relayed, shell, speaking
from support.waiting import state_of

from jupyter_hpcctr.ranks import relay


@pytest.fixture
def node():
    with relayed() as made:
        yield made


def files(node):
    return sorted(path.name for path in node.directory.iterdir())


def test_kill_ends_a_worlds_processes_and_no_others(node):
    wrappers = node.start(shell("exec sleep 1000"), 0, 1)
    (other,) = node.start(shell("exec sleep 1000"), 0, world=W2)
    node.until(lambda: len(node.pids()) == 2 and node.pids(W2))
    node.relay.kill(W1)
    node.until(lambda: node.gone().keys() == {0, 1})
    assert [wrapper.wait(30) for wrapper in wrappers] == [-9, -9]
    node.until(lambda: all(state_of(pid) in "ZXgone" for pid in node.pids().values()))
    assert (other.poll(), node.gone(W2)) == (None, {})
    assert state_of(node.pids(W2)[0]) in "RS"
    node.relay.kill(W1)
    node.relay.kill("w9")


def test_a_message_goes_to_some_ranks_or_to_all_that_are_left(node):
    script = """
socket.send(json.dumps({"kind": "up"}).encode())
while (told := json.loads(socket.recv()))["op"] != "end":
    socket.send(json.dumps({"kind": "pushed", **told}).encode())
"""
    node.start(speaking(script), 0, 1, 2)
    node.start(speaking(script), 1, world=W2)
    node.until(lambda: len(node.told("up")) == 3 and node.told("up", W2))
    node.relay.tell(W1, {"op": "push", "ask": 1}, ranks=[0, 2, 7])
    node.relay.tell(W1, {"op": "end"}, ranks=[1])
    node.until(lambda: node.gone() == {1: 0})
    node.relay.tell(W1, {"op": "push", "ask": 2})
    node.until(lambda: sum(len(item[1]) for item in node.told("pushed")) == 4)
    heard = [(rank, said["ask"]) for _, ranks, said in node.told("pushed") for rank in ranks]
    assert sorted(heard) == [(0, 1), (0, 2), (2, 1), (2, 2)]
    assert node.told("pushed", W2) == []


def test_who_does_not_say_where_it_stands_is_asked_by_a_signal(node, monkeypatch):
    monkeypatch.setattr(relay, "STACK_PATIENCE_S", 0.05)
    answers = """
socket.send(json.dumps({"kind": "up"}).encode())
told = json.loads(socket.recv())
socket.send(json.dumps({"kind": "stack", "ask": told["ask"], "lines": ["here"], "busy": True}).encode())
assert json.loads(socket.recv()) == {"op": "end"}
"""
    node.start(speaking(answers), 0)
    node.start(shell("trap 'echo asked; exit 0' USR1; echo up; while :; do sleep 0.01; done"), 0, world=W2)
    node.until(lambda: node.told("up") and node.printed(world=W2) == "up\n")
    for world in (W1, W2):
        node.relay.tell(world, {"op": "stack", "ask": 7})
    node.until(lambda: node.gone(W2) == {0: 0})
    assert node.printed(world=W2) == "up\nasked\n"
    assert node.told("stack") == [["stack", [0], {"ask": 7, "lines": ["here"], "busy": True}]]
    node.relay.tell(W1, {"op": "end"})
    node.until(lambda: node.gone() == {0: 0})


def test_nothing_is_left_of_a_world_that_is_forgotten(node):
    before, fds = files(node), len(os.listdir("/proc/self/fd"))
    node.start(shell("echo done"), 0, 1)
    node.start(shell("exec sleep 1000"), 0, world=W2)
    node.relay.expect({"world": W3, "ranks": 1, "argv": [], "limit": 1, "spill": str(node.directory / "spilled")})
    (node.directory / f"{W3}.0.out").touch()  # of a wrapper that did not get far
    assert {f"{W1}.json", f"{W1}.tmp", f"{W2}.json", f"{W3}.json"} <= set(files(node))
    node.until(lambda: node.gone() == {0: 0, 1: 0} and node.pids(W2))
    for world in (W1, W2, W3):
        node.relay.forget(world)
    assert files(node) == before
    assert len(os.listdir("/proc/self/fd")) == fds + len(node.wrappers)  # each wrapper's own pipe is the test's
    assert node.relay.ranks == {}
    node.until(lambda: state_of(node.pids(W2)[0]) in "ZXgone")
    node.turn()
    assert node.gone(W2) == {}


def test_a_wrapper_that_ends_while_its_relay_is_at_work_has_said_how(node):
    after = "until [ -e $0 ]; do sleep 0.01; done"
    (wrapper,) = node.start(["sh", "-c", f"{after}; echo; {after.replace('$0', '$1')}", "print", "end"], 0)
    node.until(node.pids)
    (node.directory / "print").touch()
    events = dict(node.poller.poll())  # that it has printed, and no more
    (node.directory / "end").touch()
    assert wrapper.wait() == 0
    node.relay.turn(events)
    node.until(node.gone)
    assert node.gone() == {0: 0}


def test_a_wrapper_that_has_given_up_is_not_waited_for(node):
    node.relay.expect({"world": W1, "ranks": 1, "argv": []})
    fds = len(os.listdir("/proc/self/fd"))
    gone = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(gone, 0)
    door = os.open(node.directory / "door", os.O_WRONLY)
    os.mkfifo(node.directory / f"{W1}.0.out")
    lines = [
        f'{{"event":"open","world":"{W1}","rank":0,"token":"ab","pid":{gone}}}',
        f'{{"event":"enter","world":"{W1}","rank":0,"pid":1}}',
        f'{{"event":"exit","world":"{W1}","rank":0,"status":1}}',
    ]
    os.write(door, ("\n".join(lines) + "\n").encode())
    node.turn()
    os.mkfifo(node.directory / f"{W1}.0.err")
    os.write(door, (lines[0] + "\n").encode())
    os.close(door)
    node.turn()
    assert node.items.get(W1, []) == []
    assert node.relay.ranks == {}
    assert len(os.listdir("/proc/self/fd")) == fds


def test_what_a_relay_is_told_may_come_in_pieces(node):
    door = os.open(node.directory / "door", os.O_WRONLY)
    line = f'{{"event":"exit","world":"{W1}","rank":0,"status":1}}\n'.encode()
    for part in (line[:10], line[10:] + line[:5], line[5:]):
        os.write(door, part)
        node.turn()
    os.close(door)
    assert node.items == {}
