"""A front alone, with real sockets and real clients; its owner records what the front asks of it."""

import asyncio

import pytest
import zmq
import zmq.asyncio

from jupyter_hpcctr.edge.front import Front
from jupyter_hpcctr.edge.sockets import CHANNELS
from jupyter_hpcctr.guest import wire

KEY = b"k3y"


class Owner:
    def __init__(self):
        self.passed, self.interrupted, self.shutdowns, self.has_room = [], 0, [], True
        self.leaving = False

    def to_kernel(self, channel, frames):
        if self.has_room:
            self.passed.append((channel, frames))
        return self.has_room

    def interrupt(self):
        self.interrupted += 1

    def shutdown(self, *, restart):
        self.shutdowns.append(restart)
        return not self.leaving


class Client:
    """A Jupyter client of five sockets, by hand; with a server's public key it talks by CURVE."""

    def __init__(self, ip, server_key=None):
        self.context = zmq.asyncio.Context()
        kinds = {"shell": zmq.DEALER, "control": zmq.DEALER, "iopub": zmq.SUB, "hb": zmq.REQ}
        self.sockets = {}
        for name, kind in kinds.items():
            socket = self.sockets[name] = self.context.socket(kind)
            socket.linger = 0
            if server_key is not None:
                socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
                socket.curve_serverkey = server_key.encode()
            if kind == zmq.SUB:
                socket.subscribe(b"")
            socket.connect(f"ipc://{ip}-{CHANNELS[name]}")

    async def send(self, channel, kind, content=None, *, key=KEY):
        frames = wire.pack(key, kind, content or {}, session="client")
        await self.sockets[channel].send_multipart(frames)
        return wire.unpack(key, frames).header["msg_id"]

    async def receive(self, channel, *, seconds=10, key=KEY):
        frames = await asyncio.wait_for(self.sockets[channel].recv_multipart(), seconds)
        message = wire.unpack(key, frames)
        assert message is not None, "the front signs what it sends"
        return message

    async def until(self, channel, kind, *, key=KEY):
        while True:
            message = await self.receive(channel, key=key)
            if message.kind == kind:
                return message

    async def published(self, seconds=0.2):
        """All that is published until nothing comes for a while: (kind, parent's id, content)."""
        found = []
        while True:
            try:
                message = await self.receive("iopub", seconds=seconds)
            except asyncio.TimeoutError:
                return found
            found.append((message.kind, message.parent.get("msg_id"), message.content))

    def close(self):
        for socket in self.sockets.values():
            socket.close()
        self.context.term()


@pytest.fixture
def drive(tmp_path):
    """Run a scenario against an open front."""

    def run(scenario):
        async def main():
            owner, context = Owner(), zmq.Context()
            front = Front(context, tmp_path, KEY, owner)
            front.open()
            client = Client(front.connection_info["ip"])
            await client.until("iopub", "iopub_welcome")
            try:
                return await scenario(front, client, owner)
            finally:
                client.close()
                await front.close()
                context.term()

        return asyncio.run(main())

    return run
