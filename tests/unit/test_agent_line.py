"""An agent's line whose server does not answer, by a clock of the test's own."""

import os
from types import SimpleNamespace

import pytest
import zmq

from jupyter_hpcctr.agent import line as lines
from jupyter_hpcctr.delivery.kept import Kept
from jupyter_hpcctr.edge.link import KeyPair
from jupyter_hpcctr.protocol.values import Link


@pytest.fixture
def clock(monkeypatch):
    made = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(lines, "time", SimpleNamespace(monotonic=lambda: made.now))
    return made


@pytest.fixture
def context():
    made = zmq.Context()
    yield made
    made.term()


@pytest.fixture
def line(context, tmp_path):
    server, own = KeyPair.new(), KeyPair.new()
    link = Link(("ipc://" + str(tmp_path / "nobody"),), server.public, own.public, own.secret)
    made = lines.Line(context, zmq.Poller(), lambda alone: link, Kept(str(tmp_path / "kept")))
    yield made
    made.close(patience_s=0)


def test_a_server_that_refuses_is_dialled_again_at_once_but_not_again_and_again(clock, line):
    dialled = []
    for _ in range(600):
        clock.now += 0.1
        line.turn([] if line._next is None else [line._next.monitor])
        dialled.append(line._dialled)
    assert dialled[5] > 1
    assert 600 * 0.1 / lines.DIAL_S < dialled[-1] < 3 * 600 * 0.1 / lines.DIAL_S


def test_the_time_in_which_the_agent_was_stopped_is_nobodys_silence(clock, line):
    for _ in range(20):
        clock.now += 1
        line.turn([])
    clock.now += 3600
    line.turn([])
    assert line.silent_s == 20


def test_hanging_up_waits_for_the_server_and_for_nothing_else(context, line, monkeypatch):
    reading, writing = os.pipe()
    os.write(writing, b"a signal that nobody reads any more")
    kernel = context.socket(zmq.DEALER)
    for each in (reading, kernel):
        line._poller.register(each, zmq.POLLIN)
    kernel.close()
    turns = []
    turn = line.turn
    monkeypatch.setattr(line, "turn", lambda ready: (turns.append(ready), turn(ready)))
    line.say("bye")
    line.close(patience_s=0.5)
    os.close(reading), os.close(writing)
    assert 0 < len(turns) < 50


def test_a_connection_that_zeromq_has_given_up_keeps_nobody_waiting(context, line):
    nobody = context.socket(zmq.DEALER)  # as one whose peer broke the protocol
    connection = line._next
    own, connection.socket = connection.socket, nobody
    assert not connection.send([b"x"])
    connection.socket = own
    nobody.close()
