"""Ctrl-C at awkward moments of a request, and of the connection: it is never lost, and nothing stays half done."""

import contextlib
import os
import signal
import threading

import pytest
import zmq
from IPython.utils.capture import capture_output

from jupyter_hpcctr.guest.mpirun import client
from jupyter_hpcctr.guest.mpirun.client import Client
from jupyter_hpcctr.guest.mpirun.errors import Interrupted

pytestmark = pytest.mark.timeout(30)  # half a connection could be waited for without end


@pytest.fixture
def talker(hub):
    made = Client(hub.find)
    yield made
    made.close()


def press():
    os.kill(os.getpid(), signal.SIGINT)


def here():
    return threading.current_thread() is threading.main_thread()  # the hub's thread uses the same library


def before(function):
    pressing = [press]
    return lambda *args, **kwargs: (here() and pressing and pressing.pop()(), function(*args, **kwargs))[1]


def behind(function):
    pressing = [press]
    return lambda *args, **kwargs: (function(*args, **kwargs), here() and pressing and pressing.pop()())[0]


def pressing_behind(op, monkeypatch):
    """Press when a request has been sent, and it goes well: the hub has heard of the interrupt too late, or forgot."""
    send = Client.send

    def sent(self, what, fields):
        number = send(self, what, fields)
        if what == op:
            press()
        return number

    monkeypatch.setattr(Client, "send", sent)


FOLLOWING = [
    ("start", "%%mpirun\npass", "execute"),
    ("execute", "%%mpirun --collect u\npass", "pull"),
    ("status", "%mpirun run ./solve", "run"),
]


@pytest.mark.parametrize(("op", "code", "following"), FOLLOWING)
def test_an_interrupt_that_a_request_outran_keeps_the_next_one_from_beginning(
    shell, hub, monkeypatch, op, code, following
):
    hub.values["u"] = 1
    hub.scripts["execute"] = lambda hub, request: hub.out([0, 1, 2, 3], "shown\n") or {}
    with monkeypatch.context() as patched, capture_output() as captured:
        pressing_behind(op, patched)
        error = shell.run_cell(code).error_in_exec
    assert isinstance(error, Interrupted)
    assert op in hub.ops() and following not in hub.ops()
    assert ("shown" in captured.stdout) == (op == "execute")
    assert ("they keep running" in captured.stdout) == (op == "start")
    with capture_output():
        assert shell.run_cell(code).success
    assert following in hub.ops()


def test_an_interrupt_behind_a_requests_last_word_is_not_lost(talker, monkeypatch):
    until_end, leave, armed = client._Waiting.until_end, client.HeldInterrupts.__exit__, []

    def ended(*args):
        armed.append(press)
        return until_end(*args)

    def left(*args):
        if armed:
            armed.pop()()
        return leave(*args)

    monkeypatch.setattr(client._Waiting, "until_end", ended)
    monkeypatch.setattr(client.HeldInterrupts, "__exit__", left)
    assert talker.request("start")["status"] == "interrupted"


OPENING = [
    (zmq.Context, "socket", before),
    (zmq.Context, "socket", behind),
    (zmq.Socket, "get_monitor_socket", before),
    (zmq.Socket, "get_monitor_socket", behind),
    (zmq.Poller, "register", before),
    (zmq.Poller, "register", behind),
]


@pytest.mark.parametrize(("kind", "name", "when"), OPENING)
def test_an_interrupt_while_a_connection_is_made_leaves_a_whole_one(talker, monkeypatch, kind, name, when):
    with monkeypatch.context() as patched:
        patched.setattr(kind, name, when(getattr(kind, name)))
        with pytest.raises(KeyboardInterrupt):
            talker.connect()
    assert talker.request("start")["status"] == "ok"
    assert talker.connections == 1


CLOSING = [
    (zmq.Socket, "disable_monitor", before),
    (zmq.Socket, "disable_monitor", behind),
    (zmq.Socket, "close", before),
    (zmq.Socket, "close", behind),
    (zmq.Context, "term", before),
]


@pytest.mark.parametrize(("kind", "name", "when"), CLOSING)
def test_an_interrupt_while_a_connection_is_closed_leaves_none(talker, monkeypatch, kind, name, when):
    talker.connect()
    with monkeypatch.context() as patched:
        patched.setattr(kind, name, when(getattr(kind, name)))
        with pytest.raises(KeyboardInterrupt):
            talker.close()
    assert talker.request("start")["status"] == "ok"
    assert talker.connections == 2


def test_a_connection_that_cannot_be_made_is_made_by_the_next_request(talker, monkeypatch):
    def none_left(*args):
        raise OSError("too many open files")

    with monkeypatch.context() as patched, pytest.raises(OSError, match="too many"):
        patched.setattr(zmq.Socket, "get_monitor_socket", none_left)
        talker.connect()
    assert talker.request("start")["status"] == "ok"


def test_an_interrupt_while_another_connects_is_for_the_request_that_waits(hub, talker, monkeypatch):
    """A panel's connection is made in the thread of the cell, whose request must still be read to its end."""
    talker.connect()
    hub.scripts["execute"] = lambda hub, request: {"status": "interrupted" if hub.wait_for_interrupt() else "ok"}
    panel = Client(hub.find)
    monkeypatch.setattr(zmq.Socket, "get_monitor_socket", before(zmq.Socket.get_monitor_socket))
    ends = []
    with contextlib.suppress(KeyboardInterrupt):
        ends.append(talker.request("execute", tick=panel.connect)["status"])
    assert ends == ["interrupted"]
    panel.close()


def test_an_interrupt_while_the_lock_is_taken_does_not_keep_it(hub, monkeypatch):
    talker = Client(hub.find)

    class Lock:
        acquire = staticmethod(behind(talker._lock.acquire))
        release = talker._lock.release

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(talker, "_lock", Lock)
        talker.connect()
    assert talker.request("start")["status"] == "ok"
    talker.close()
