"""A hub without ranks: it speaks to the kernel's magic over a real socket, by a script of the test."""

import contextlib
import json
import threading
import time

import zmq

from jupyter_hpcctr.guest.mpirun.data import pack, unpack
from jupyter_hpcctr.guest.mpirun.segment import Segment

WORLD = {
    "state": "running",
    "ranks": 4,
    "nodes": [{"name": "n1", "ranks": [0, 1]}, {"name": "n2", "ranks": [2, 3]}],
    "slots": 4,
    "mpi": {"library": "Open MPI v4.1.4", "implementation": "Open MPI", "version": "4.1.4"},
    "launcher": "srun --mpi=pmix",
    "checked": {"ok": True, "lines": ["between nodes 9.8 GB/s"], "in_node_gb_s": 12.0, "between_gb_s": 9.8},
    "processes": {str(rank): {"pid": 100 + rank, "node": f"n{rank // 2 + 1}", "busy": False} for rank in range(4)},
    "reasons": ["8 ranks were asked for: reduced to 4, the slots of this machine"],
}


class FakeHub:
    """Answers in a thread. ``scripts`` maps an operation to a function of the hub and the request.

    A script calls ``say`` for events, and returns the fields of ``end``. ``requests`` are all that came.
    """

    def __init__(self, directory, ranks=4):
        self.directory = str(directory)
        self.world = {**WORLD, "ranks": ranks}
        self.requests = []
        self.values = {}
        self.scripts = {}
        self.found = 0
        self.mute = False
        self.interrupted = threading.Event()
        self._context = zmq.Context()
        self._running = True
        self._outbox = []
        self._thread = None

    def find(self):
        """What the magic calls: the directory, with a hub in it."""
        self.found += 1
        if self._thread is None:
            self.start()
        return self.directory

    def start(self):
        self._running = True
        bound = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(bound,))
        self._thread.start()
        assert bound.wait(10)

    def stop(self):
        self._running = False
        if self._thread is not None:
            self._thread.join(10)
            self._thread = None

    def close(self):
        self.stop()
        self._context.term()

    def ops(self):
        return [request["op"] for request in self.requests]

    def of(self, op):
        return [request for request in self.requests if request["op"] == op]

    def say(self, event, **fields):
        self._outbox.append({"event": event, **fields})

    def out(self, ranks, text, stream="stdout"):
        self.say("out", items=[[ranks, stream, text]])

    def display(self, rank, data, message="display_data", display_id=None, metadata=None):
        transient = {} if display_id is None else {"display_id": display_id}
        content = {"data": data, "metadata": metadata or {}, "transient": transient}
        self.say("display", rank=rank, message=message, content=content)

    def sleep(self, seconds):
        """Let time pass within a script, while what was said is sent and what comes is read."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._turn(10)

    def wait_for_interrupt(self):
        end = time.monotonic() + 20
        self.interrupted.clear()
        while not self.interrupted.is_set() and time.monotonic() < end:
            self._turn(10)
        return self.interrupted.is_set()

    def _serve(self, bound):
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.linger = 0
        self._socket.bind(f"ipc://{self.directory}/ranks")
        bound.set()
        with contextlib.closing(self._socket):
            while self._running:
                self._turn(10)

    def _turn(self, milliseconds):
        if self._outbox:
            self._flush()
        if not self._socket.poll(milliseconds):
            return
        identity, body = self._socket.recv_multipart()
        request = json.loads(body)
        self.requests.append(request)
        if self.mute:
            return
        if request["op"] == "interrupt":
            self.interrupted.set()
            return
        if request["op"] == "status":  # also while another runs
            self._socket.send_multipart([identity, end_of(request, {"world": self.world})])
            return
        self._current = (identity, request["id"])
        script = self.scripts.get(request["op"], DEFAULTS.get(request["op"]))
        fields = script(self, request) if script else {}
        self._flush()
        if fields is not None:
            self._socket.send_multipart([identity, end_of(request, fields)])

    def _flush(self):
        identity, number = self._current
        outbox, self._outbox = self._outbox, []
        for event in outbox:
            self._socket.send_multipart([identity, json.dumps({"id": number, **event}).encode()])


def end_of(request, fields):
    empty = {"status": "ok", "message": None, "hint": None, "etype": None, "respawned": False}
    return json.dumps({"id": request["id"], "event": "end", **empty, **fields}).encode()


def started(hub, request):
    if request.get("ranks"):
        hub.world = {**hub.world, "ranks": request["ranks"]}
    return {"world": hub.world}


def pushed(hub, request):
    segment = Segment.open(request["segment"])
    for name, header in request["values"].items():
        hub.values[name] = unpack(header, segment)


def pulled(hub, request):
    values = {}
    for rank in request["ranks"] or range(hub.world["ranks"]):
        header, buffers = pack((hub.values[request["name"]], rank))
        segment = Segment.create([(header, buffers)], hub.directory)
        values[str(rank)] = {"header": header, "segment": segment and segment.described()}
    return {"values": values}


DEFAULTS = {
    "start": started,
    "restart": started,
    "push": lambda hub, request: pushed(hub, request) or {},
    "pull": pulled,
}
