"""A simulated allocation: ``srun`` that starts everything on this machine, and ranks that only answer.

All from the notebook to the relays is the product's. A node's ranks are one process here: each has its FIFOs, its
announcements at the relay's door and its socket, as ``enter.py`` and ``rank.py`` make them, and runs nothing.
"""

import json
import os
import resource
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import zmq

from jupyter_hpcctr.guest.mpirun import enter

PREFIX = "sim"


def environment(directory, nodes, per_node):
    """The variables of a job with these nodes, whose ``srun`` and ``scontrol`` are the simulated ones."""
    for name in ("srun", "scontrol"):
        script = Path(directory, name)
        script.write_text(f'#!/bin/sh\nexec {sys.executable} {__file__} {name} "$@"\n')
        script.chmod(0o755)
    return {
        "PATH": f"{directory}:{os.environ['PATH']}",
        "SLURM_JOB_ID": "1",
        "SLURM_JOB_NUM_NODES": str(nodes),
        "SLURM_JOB_NODELIST": ",".join(f"{PREFIX}{number}" for number in range(nodes)),
        "SLURM_TASKS_PER_NODE": f"{per_node}(x{nodes})",
        "SLURMD_NODENAME": f"{PREFIX}0",
    }


def main(argv):
    """Be srun, or the scontrol that says the names of nodes."""
    if argv[1] == "scontrol":
        asked = os.environ["SLURM_JOB_NODELIST"] if argv[-1] == "hostnames" else argv[-1]  # scontrol(1)
        print(*asked.split(","), sep="\n")
        return
    options = dict(word.removeprefix("--").partition("=")[::2] for word in argv[2:] if word.startswith("--"))
    words = argv[2:]
    while words[0].startswith("-"):
        words = words[1:]
    names = options["nodelist"].split(",")
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    if words[-1] == "--node":
        pids = [_node(words, name, sys.stdin.buffer.read() if not at else None) for at, name in enumerate(names)]
    else:
        per_node = int(options["ntasks"]) // len(names)
        parts = [range(at * per_node, (at + 1) * per_node) for at in range(len(names))]
        pids = [_forked(words, name, part) for name, part in zip(names, parts, strict=True)]
    signal.signal(signal.SIGTERM, lambda *_: [os.kill(pid, signal.SIGKILL) for pid in pids] and sys.exit(143))
    for pid in pids:
        os.waitpid(pid, 0)


_told = []


def _node(words, name, told):
    """Start a node's process of the product; all read the same."""
    if told is not None:
        _told.append(told)
    child = subprocess.Popen(words, stdin=subprocess.PIPE, env={**os.environ, "SLURMD_NODENAME": name})
    child.stdin.write(_told[0])
    child.stdin.close()
    return child.pid


def _forked(words, name, part):
    if pid := os.fork():
        return pid
    os.environ["SLURMD_NODENAME"] = name
    try:
        Ranks(enter.read_spec(*words[-4:-1], name), part).serve()
    finally:
        os._exit(0)


class Ranks:
    """The ranks of one node."""

    def __init__(self, spec, numbers):
        self.spec, self.left = spec, set(numbers)
        self.context = zmq.Context()
        self.poller = zmq.Poller()
        self.marks = dict.fromkeys(numbers, 0)
        self.out, self.err, self.token, self.by_socket = {}, {}, {}, {}
        self.door = os.open(f"{spec['dir']}/door", os.O_WRONLY)
        for rank in numbers:
            self._open(rank)

    def _open(self, rank):
        base = f"{self.spec['dir']}/{self.spec['world']}.{rank}"
        for name in ("out", "err"):
            os.mkfifo(f"{base}.{name}", 0o600)
        self.token[rank] = secrets.token_hex(16)
        self._announce(rank, event="open", pid=os.getpid(), token=self.token[rank])
        self.out[rank], self.err[rank] = (os.open(f"{base}.{name}", os.O_WRONLY) for name in ("out", "err"))
        self._announce(rank, event="enter", pid=os.getpid())
        socket = self.context.socket(zmq.DEALER)
        socket.identity = f"{self.spec['world']}.{rank}".encode()
        socket.linger = 0
        socket.connect(f"ipc://{self.spec['dir']}/world")
        self.by_socket[socket] = rank
        self.poller.register(socket, zmq.POLLIN)
        mpi = {"rank": rank, "size": self.spec["ranks"], "library": "simulated", "standard": "", "thread": ""}
        up = {"kind": "up", "mpi": mpi, "mpi_error": None, "pid": os.getpid(), "host": "simulated", "python": ""}
        socket.send(json.dumps({**up, "rank": rank}).encode())

    def _announce(self, rank, **what):
        os.write(self.door, (json.dumps({"world": self.spec["world"], "rank": rank, **what}) + "\n").encode())

    def serve(self):
        """Answer until all are to end."""
        while self.left:
            for socket, _ in self.poller.poll():
                self._on_told(socket, self.by_socket[socket], json.loads(socket.recv()))
        time.sleep(0.1)

    def _on_told(self, socket, rank, told):
        answer = {"rank": rank}
        if told["op"] == "execute":
            seq = self._mark(rank, told["code"])
            answer |= {"kind": "done", "cell": told["cell"], "seq": seq, "status": "ok", "error": None}
        elif told["op"] == "check":
            answer |= {"kind": "checked", "ask": told["ask"], "result": {"rank": rank}}
        elif told["op"] == "end":
            self.left.discard(rank)
            self._announce(rank, event="exit", status=0)
            return
        else:
            return
        socket.send(json.dumps(answer).encode())

    def _mark(self, rank, code):
        """Say one line if the cell asks for it, and that this is all."""
        self.marks[rank] = seq = self.marks[rank] + 1
        mark = b"\0" + self.token[rank].encode() + b"%08d\n" % seq
        os.write(self.out[rank], (b"this is rank %d\n" % rank if "print" in code else b"") + mark)
        os.write(self.err[rank], mark)
        return seq


if __name__ == "__main__":
    main(sys.argv)
