"""Replies that wait for clients which connect again."""

import asyncio

import pytest
import zmq

from jupyter_hpcctr.edge import replies
from jupyter_hpcctr.edge.ports import Port
from jupyter_hpcctr.edge.replies import Replies


@pytest.fixture
def ends():
    """A router as the front has it, and what makes a client with an identity."""
    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    router.router_mandatory = True
    router.bind("inproc://front")

    clients = []

    def client(identity):
        socket = context.socket(zmq.DEALER)
        clients.append(socket)
        socket.routing_id, socket.rcvtimeo = identity, 30_000
        socket.connect("inproc://front")
        return socket

    yield router, client
    for each in (router, *clients):
        each.close(0)
    context.term()


def test_they_come_in_order_when_their_client_says_something_and_to_nobody_else(ends, monkeypatch):
    monkeypatch.setattr(replies, "MOST", 3)

    async def scenario():
        router, client = ends
        it = Replies()
        port = Port(router, lambda frames: it.came(port, frames[0].bytes))
        for number in (b"0", b"1", b"2", b"3"):
            it.send(port, [b"a" if number != b"1" else b"b", number])
        first, second = client(b"a"), client(b"b")
        assert await said(first) == b"2", "the oldest was dropped"
        assert await said(first) == b"3"
        it.send(port, [b"a", b"4"])
        assert await said(first) == b"4"
        assert await said(second) == b"1"
        port.close()

    asyncio.run(scenario())


async def said(client):
    """What a client hears when it has said something."""
    client.send(b"here")
    return await asyncio.to_thread(client.recv)
