"""A relay with real wrappers behind it, started as a launcher does."""

import contextlib
import gc
import os
import subprocess
import sys
import time

import zmq

from jupyter_hpcctr.guest.mpirun import enter
from jupyter_hpcctr.protocol.container import EngineCommand
from jupyter_hpcctr.ranks.relay import Relay

from .slurm import short_directory

W1, W2, W3, W4 = (f"w{os.getpid()}x{number}" for number in range(1, 5))
"""Worlds, by names that no other process of a run has: a relay ends all of a world's processes on its node."""
SPEAKING = """
import atexit, json, os, sys, zmq
who = f"{os.environ['HPCCTR_WORLD']}.{os.environ['HPCCTR_RANK']}"
context = zmq.Context()
socket = context.socket(zmq.DEALER)
atexit.register(context.destroy, linger=10_000)  # else what was sent last may be lost
socket.identity = who.encode()
socket.connect(f"ipc://{os.environ['HPCCTR_DIR']}/world")
count = 0
def say(kind, **more):
    global count
    count += 1
    mark = b"\\0" + os.environ["HPCCTR_TOKEN"].encode() + b"%08d\\n" % count
    message = {"kind": kind, "rank": int(os.environ["HPCCTR_RANK"]), "cell": 1, "seq": count, **more}
    if count % 2:  # before or after its mark, it is the same
        socket.send(json.dumps(message).encode())
    for descriptor in (1, 2):
        os.write(descriptor, mark)
    if count % 2 == 0:
        socket.send(json.dumps(message).encode())
def done():
    say("done", status="ok", error=None)
def show(content):
    say("display", message="display_data", content=content)
"""


class Node:
    """A node's relay, the wrappers that a launcher would have started there, and what they told."""

    def __init__(self, directory):
        self.directory, self.wrappers, self.items = directory, {}, {}
        self.script = enter.__file__
        self.context, self.poller = zmq.Context(), zmq.Poller()
        self.form = "process"  # how the ranks' engine would read their environment
        self.relay = Relay(self.context, self.poller, str(directory), enter=self.entering)

    def entering(self, argv, env_file):
        return EngineCommand(tuple(argv), self.form)

    def start(self, argv, *ranks, world=W1, **more):
        """Run a program on ranks, and return their wrappers."""
        own = {"world": world, "ranks": len(ranks), "argv": list(argv), "cwd": str(self.directory)}
        policy = {"env": {"A": "of the plan"}, "pass_env": ["KEPT*"], "drop_env": ["KEPT_NOT"], "inside": False}
        self.relay.expect({**own, **policy, "dir_inside": str(self.directory), **more})
        words = [sys.executable, "-S", "-E", self.script, str(self.directory), f"/{world}.json", "n1", ""]
        for rank in ranks or (0,):
            env = {**os.environ, "PMIX_RANK": str(rank)}
            self.wrappers[world, rank] = subprocess.Popen(words, env=env, stderr=subprocess.PIPE)
        return [self.wrappers[world, rank] for rank in ranks or (0,)]

    def turn(self):
        self.relay.turn(dict(self.poller.poll(self.relay.patience_ms(50))))
        for world, bundle in tuple(self.relay.bundles.items()):
            self.items.setdefault(world, []).extend(bundle.take())

    def until(self, condition):
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, str(self.items)[-2000:]
            self.turn()

    def told(self, kind, world=W1):
        return [item for item in self.items.get(world, []) if item[0] == kind]

    def gone(self, world=W1):
        return {rank: status for _, ranks, status in self.told("gone", world) for rank in ranks}

    def pids(self, world=W1):
        return {rank: pid for _, ranks, pid in self.told("entered", world) for rank in ranks}

    def printed(self, stream="stdout", rank=0, world=W1):
        return "".join(text for _, ranks, name, text in self.told("out", world) if name == stream and rank in ranks)

    def close(self):
        self.relay.close()
        self.context.term()
        for wrapper in self.wrappers.values():
            wrapper.kill()
            wrapper.communicate()


@contextlib.contextmanager
def relayed():
    """Yield a node, and see that nothing of it stays open."""
    with short_directory() as private:
        directory = private / "kernel"  # as in a job: the name of MPI's shared memory is made of its parent's
        directory.mkdir(mode=0o700)
        gc.collect()  # what other tests have left open is not closed in the midst of this one
        before = len(os.listdir("/proc/self/fd"))
        made = Node(directory)
        try:
            yield made
        finally:
            made.close()
        assert len(os.listdir("/proc/self/fd")) <= before


def shell(script):
    return ["sh", "-c", script]


def speaking(script):
    return [sys.executable, "-c", SPEAKING + script]
