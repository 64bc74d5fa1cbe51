"""A link in an edge loop of its own, an agent's line in a thread, and a wire between them."""

import threading
import time

import zmq

from jupyter_hpcctr.agent.line import Line
from jupyter_hpcctr.delivery.kept import Kept
from jupyter_hpcctr.edge.link import KeyPair, Link
from jupyter_hpcctr.edge.loop import EdgeLoop
from jupyter_hpcctr.protocol import values

from .wire import Wire


class Agent(threading.Thread):
    """A line that says what it is told to, and remembers what it hears."""

    def __init__(self, link, directory):
        super().__init__(daemon=True)
        self.link = link
        self.context, self.poller = zmq.Context(), zmq.Poller()
        self.line = Line(self.context, self.poller, lambda alone: self.link, Kept(str(directory / "agent")))
        self.to_say, self.heard, self.going = [], [], True

    def run(self):
        while self.going:
            ready = dict(self.poller.poll(5))
            self.heard += [frames[0] for _, frames in self.line.receive()]
            while self.to_say:
                assert self.line.send(b"shell", [self.to_say.pop(0)])
            self.line.turn(ready)

    def end(self):
        self.going = False
        self.join()
        self.line.close()
        self.context.term()


class Both:
    """Both ends; without ``wired`` there is nothing between them but the system's loopback."""

    def __init__(self, directory, *, wired=True):
        self.edge, self.heard, self.silences, self.returns = EdgeLoop(), [], 0, 0
        self.keys = KeyPair.new()
        self.link = self.edge.wait(self._make(directory))
        address = self.edge.wait(self._call(self.link.listen, "127.0.0.1"))
        host, _, port = address.removeprefix("tcp://").rpartition(":")
        self.wire = Wire((host, int(port))) if wired else None
        address = self.wire.address if wired else address
        self.about = values.Link((address,), self.link.public_key, self.keys.public, self.keys.secret)
        self.agent = Agent(self.about, directory)
        self.agent.start()

    async def _make(self, directory):
        link = Link(self.edge.context)
        link.admit(self.keys.public, self._receive, Kept(str(directory / "server")))
        return link

    @staticmethod
    async def _call(function, *args):
        return function(*args)

    def _receive(self, channel, frames):
        if channel == b"silence":
            self.silences += 1
        elif channel == b"heard":
            self.returns += 1
        else:
            self.heard.append(frames[0])

    def command(self, text):
        self.edge.wait(self._call(self.link.send, self.keys.public, b"shell", [text]))

    def dismiss(self):
        self.edge.wait(self._call(self.link.dismiss, self.keys.public))

    def close(self):
        self.agent.end()
        if self.wire is not None:
            self.wire.close()
        self.edge.wait(self.link.close())
        self.edge.stop()


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def texts(first, last):
    return [str(number).encode() for number in range(first, last)]
