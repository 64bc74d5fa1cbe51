"""One small Jupyter client for every variant, on bare sockets: what is measured is the way, not the client."""

import json
import time

import zmq

from jupyter_hpcctr.guest import wire

RECONNECT_MS = 5
TIMEOUT_S = 60.0


class Probe:
    """Connected to a kernel, or to what stands before it, by a connection file's content."""

    def __init__(self, info):
        key = info["key"]
        self.key = key if isinstance(key, bytes) else key.encode()
        self.context = zmq.Context()
        self.shell = self._socket(zmq.DEALER, info, "shell")
        self.control = self._socket(zmq.DEALER, info, "control")
        self.iopub = self._socket(zmq.SUB, info, "iopub")
        self.iopub.subscribe(b"")
        self.poller = zmq.Poller()
        self.poller.register(self.shell, zmq.POLLIN)
        self.poller.register(self.iopub, zmq.POLLIN)

    def _socket(self, kind, info, channel):
        socket = self.context.socket(kind)
        socket.linger = 0
        socket.rcvhwm = socket.sndhwm = 0
        socket.reconnect_ivl = RECONNECT_MS
        mark = "-" if info["transport"] == "ipc" else ":"
        socket.connect(f"{info['transport']}://{info['ip']}{mark}{info[channel + '_port']}")
        return socket

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.destroy(linger=0)

    def wait_until_heard(self, alive=lambda: True):
        """Wait until the kernel, or the front, has this client's subscription (JEP 65's iopub_welcome).

        ipykernel's XPUB does not tell of a subscription that another client still has, one that has just left too.
        """
        until = time.monotonic() + TIMEOUT_S
        while not self.iopub.poll(1000):
            if not alive() or time.monotonic() > until:
                raise AssertionError("the kernel does not start")
            self.iopub.unsubscribe(b"")
            self.iopub.subscribe(b"")
        while _header(self.iopub.recv_multipart())["msg_type"] != "iopub_welcome":
            self._poll(until)

    def first_result(self, alive=lambda: True):
        """Wait for the kernel and for the result of ``1+1``; what is sent early is kept by who listens."""
        self.wait_until_heard(alive)
        results = []
        self.execute("1+1", lambda kind, parts: results.append((kind, parts[3])))
        content = next(json.loads(bytes(part)) for kind, part in results if kind == "execute_result")
        assert content["data"]["text/plain"] == "2", content

    def ask(self, code):
        """Send a cell; what comes for it goes to the ``Cell`` that is returned."""
        frames = wire.pack(self.key, "execute_request", _request(code), session="bench")
        self.shell.send_multipart(frames)
        return Cell(json.loads(frames[2])["msg_id"].encode())

    def execute(self, code, seen=lambda kind, parts: None, *, expected="ok", timeout_s=TIMEOUT_S):
        """Run a cell to its end: its reply and its ``idle`` are here. ``seen`` gets what is published."""
        cell, over = self.ask(code), False
        until = time.monotonic() + timeout_s
        while not over:
            for socket, _ in self._poll(until):
                over = cell.heard(socket.recv_multipart(copy=False), seen, expected=expected)

    def shut_down(self):
        """Ask the kernel to end."""
        self.control.send_multipart(wire.pack(self.key, "shutdown_request", {"restart": False}, session="bench"))
        self.control.poll(2000)

    def _poll(self, until):
        ready = self.poller.poll(max(0.0, until - time.monotonic()) * 1000)
        if not ready:
            raise AssertionError("no answer in time")
        return ready


class Cell:
    """A cell that runs, until its reply and its ``idle`` have come."""

    def __init__(self, msg_id):
        self._msg_id, self._replied, self._idle = msg_id, False, False

    def heard(self, frames, seen=lambda kind, parts: None, *, expected="ok"):
        """Take a message of the kernel; return whether the cell has ended. ``seen`` gets what is published for it."""
        parts = _parts(frames)
        if self._msg_id in parts[1].bytes:
            kind = json.loads(parts[0].bytes)["msg_type"]
            if kind == "execute_reply":
                content = json.loads(parts[3].bytes)
                assert content["status"] == expected, content
                self._replied = True
            elif kind == "status":
                self._idle = b'"idle"' in parts[3].bytes
            else:
                seen(kind, parts)
        return self._replied and self._idle


def _request(code):
    return {
        "code": code,
        "silent": False,
        "store_history": False,
        "user_expressions": {},
        "allow_stdin": False,
        "stop_on_error": True,
    }


def _parts(frames):
    for at, frame in enumerate(frames):
        if frame.bytes == wire.DELIMITER:
            return frames[at + 2 :]
    raise AssertionError("not a Jupyter message")


def _header(frames):
    return json.loads(frames[frames.index(wire.DELIMITER) + 2])
