"""Ranks under a real ``mpiexec`` with a relay that writes down all they say; what they print is in files."""

import collections
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import zmq

from jupyter_hpcctr.guest.mpirun import stdio

from .notebooks import mpi_environment

RANK = str(Path(stdio.__file__).parent / "rank.py")
TOKEN = "0123456789abcdef" * 2
MARK = len(TOKEN) + 10
LAUNCHERS = {"openmpi": ("mpiexec.openmpi", "--oversubscribe"), "mpich": ("mpiexec.mpich",)}
PATIENCE_S = 20
WRAPPER = """
HPCCTR_RANK=${HPCCTR_RANK:-${OMPI_COMM_WORLD_RANK:-$PMI_RANK}}; export HPCCTR_RANK
exec "$@" >"$HPCCTR_DIR/$HPCCTR_RANK.out" 2>"$HPCCTR_DIR/$HPCCTR_RANK.err"
"""
BEHIND = 'import subprocess, sys; subprocess.Popen(["sh", "-c", *sys.argv[1:]], close_fds=False).wait()'


def environment(mpi, directory):
    """What a rank needs to find an MPI library."""
    env = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    # In /dev/shm, ranks that are killed would leave files behind.
    own = {"OMPI_MCA_btl_base_warn_component_unused": "0", "OMPI_MCA_btl_vader_backing_directory": str(directory)}
    return env | mpi_environment(mpi, Path(directory)) | own


class World:
    """Started ranks. ``says`` holds what each has said and nobody has asked for yet."""

    def __init__(self, mpi, ranks, directory, *, env=None, launcher=None, behind=False, wrapper=None):
        self.ranks, self.dir, self._cell = ranks, Path(directory), 0
        self._socket = zmq.Context.instance().socket(zmq.ROUTER)
        self._socket.linger = 0
        self._socket.bind(f"ipc://{directory}/world")
        self.says = collections.defaultdict(list)
        self._printed = collections.Counter()
        own = {"HPCCTR_WORLD": "w", "HPCCTR_RANKS": str(ranks), "HPCCTR_TOKEN": TOKEN, "HPCCTR_DIR": str(directory)}
        words = launcher or (*LAUNCHERS[mpi], "-n", str(ranks))
        if wrapper is None:
            wrapper = (*((sys.executable, "-c", BEHIND) if behind else ("sh", "-c")), WRAPPER, "sh")
        self.process = subprocess.Popen(
            [*words, *wrapper, sys.executable, RANK],
            env=environment(mpi, directory) | own | (env or {}),
            stdin=subprocess.DEVNULL,
            cwd=directory,
        )
        self.up = {}

    def wait_up(self):
        self.up = self.hear("up")
        return self

    def tell(self, ranks=None, **message):
        for rank in range(self.ranks) if ranks is None else ranks:
            self._socket.send_multipart([f"w.{rank}".encode(), json.dumps(message).encode()])

    def hear(self, kind, ranks=None, patience=PATIENCE_S):
        """One message of a kind of each rank; earlier ones of other kinds stay in ``says``."""
        wanted = set(range(self.ranks) if ranks is None else ranks)
        found = {}
        until = time.monotonic() + patience
        while wanted:
            for rank in sorted(wanted):
                message = next((m for m in self.says[rank] if m["kind"] == kind), None)
                if message is not None:
                    self.says[rank].remove(message)
                    wanted.discard(rank)
                    found[rank] = message
            if wanted and not self._socket.poll(max(0, until - time.monotonic()) * 1000):
                raise TimeoutError(f"ranks {wanted} did not say {kind!r}, but {self.account()}")
            while wanted and self._socket.poll(0):
                identity, data = self._socket.recv_multipart()
                message = json.loads(data)
                assert identity == f"w.{message['rank']}".encode()
                self.says[message["rank"]].append(message)
        return found

    def ask(self, op, kind, ranks=None, **fields):
        self.tell(ranks, op=op, ask=7, **fields)
        return self.hear(kind, ranks)

    def start(self, code, ranks=None):
        self._cell += 1
        self.tell(ranks, op="execute", cell=self._cell, code=code)
        return self._cell

    def done(self, ranks=None):
        """How the cell went on each rank: its failure, displays, and text printed before each mark."""
        told = self.hear("done", ranks)
        assert {message["cell"] for message in told.values()} == {self._cell}
        return {rank: self._outcome(rank, message) for rank, message in told.items()}

    def _outcome(self, rank, message):
        shown = [m for m in self.says[rank] if m["kind"] == "display"]
        self.says[rank] = [m for m in self.says[rank] if m["kind"] != "display"]
        for each in ("out", "err"):
            pieces = self._pieces(rank, each)
            assert [seq for _, seq in pieces] == [m["seq"] for m in [*shown, message]], (pieces, shown)
            for said, (text, _) in zip([*shown, message], pieces, strict=True):
                said[each] = text
        assert (message["status"] == "error") == (message["error"] is not None)
        error = SimpleNamespace(**message["error"]) if message["error"] else None
        out, err = ("".join(m[each] for m in [*shown, message]) for each in ("out", "err"))
        return SimpleNamespace(error=error, shown=shown, out=out, err=err, last=message)

    def _pieces(self, rank, stream):
        data = (self.dir / f"{rank}.{stream}").read_bytes()[self._printed[rank, stream] :]
        pieces = []
        while (at := data.find(b"\0" + TOKEN.encode())) >= 0 and len(data) >= at + MARK:
            assert data[at + MARK - 1 : at + MARK] == b"\n"
            pieces.append((data[:at].decode(), int(data[at + MARK - 9 : at + MARK - 1])))
            self._printed[rank, stream] += at + MARK
            data = data[at + MARK :]
        return pieces

    def run(self, code, ranks=None):
        self.start(code, ranks)
        return self.done(ranks)

    def account(self):
        """What is known of ranks that do not answer: what they said and printed, and their stacks."""
        for said in self.up.values():
            os.kill(said["pid"], signal.SIGUSR1)
        time.sleep(0.5)
        said = {rank: [(m["kind"], m.get("seq")) for m in messages[-5:]] for rank, messages in self.says.items()}
        mark = re.compile(rb"\0" + TOKEN.encode() + rb"\d{8}\n")
        printed = {path.name: mark.sub(b"", path.read_bytes())[-1500:].decode() for path in self.dir.glob("[0-9]*.???")}
        return f"{said} and {printed}"

    def end(self, patience=10):
        """Tell the ranks to end; return mpiexec's exit status and the seconds it took."""
        begin = time.monotonic()
        self.tell(op="end")
        return self.process.wait(patience), time.monotonic() - begin

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._socket.close()


def missing(mpi):
    return shutil.which(LAUNCHERS[mpi][0]) is None
