"""A socket in an event loop: nothing that has arrived is left lying, whatever else is done with the socket."""

import asyncio
import os
import threading

import pytest
import zmq

from jupyter_hpcctr.edge import ports
from jupyter_hpcctr.edge.link import Link
from jupyter_hpcctr.edge.loop import EdgeLoop
from jupyter_hpcctr.edge.ports import TURN, Port


class Socket:
    """A socket whose descriptor never tells: whatever was done with it has taken note of what is there."""

    def __init__(self):
        self.fd, self._other_end = os.pipe()
        self.closed, self.there, self.refuses = False, [], False

    def is_there(self):
        assert not self.closed, "a closed socket has none"
        return bool(self.there)

    def send(self, frames):
        if self.refuses:
            raise zmq.ZMQError(zmq.EHOSTUNREACH)

    def received(self):
        assert not self.closed
        if not self.there:
            raise zmq.Again
        return self.there.pop(0)

    def close(self):
        self.closed = True
        for fd in (self.fd, self._other_end):
            os.close(fd)


@pytest.fixture
def calls(monkeypatch):
    """The calls that a port makes are those of the socket above."""
    monkeypatch.setattr(ports, "sockets", Socket)


async def turns():
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize("refuses", [False, True])
def test_what_came_while_something_was_sent_is_read_even_if_that_failed(refuses):
    async def scenario():
        socket, heard = Socket(), []
        port = Port(socket, heard.append)
        socket.refuses, socket.there = refuses, [[b"1"], [b"2"]]
        try:
            port.send([b"route", b"x"])
        except zmq.ZMQError:
            assert refuses
        await turns()
        port.close()
        assert heard == [[b"1"], [b"2"]]

    asyncio.run(scenario())


@pytest.mark.usefixtures("calls")
def test_a_socket_that_a_message_closes_is_not_looked_at_again():
    async def scenario():
        faults = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        socket, heard = Socket(), []

        def receive(frames):
            heard.append(frames)
            if len(heard) == TURN:
                port.close()

        port = Port(socket, receive)
        socket.there = [[b"x"]] * (2 * TURN)
        port.look()
        await turns()
        assert (len(heard), faults) == (TURN, [])

    asyncio.run(scenario())


@pytest.mark.usefixtures("calls")
def test_a_socket_that_is_closed_before_its_turn_is_not_read():
    async def scenario():
        faults, heard = [], []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        socket = Socket()
        port = Port(socket, heard.append)
        socket.there = [b"x"]
        port.look()
        port.close()
        await turns()
        assert (heard, faults) == ([], [])

    asyncio.run(scenario())


def test_a_loop_ends_although_a_link_in_it_was_not_closed():
    edge = EdgeLoop()

    async def make():
        return Link(edge.context)

    link = edge.wait(make())
    stopping = threading.Thread(target=edge.stop, daemon=True)
    stopping.start()
    stopping.join(30)
    assert not stopping.is_alive()
    link._auth.zap_socket.close()
