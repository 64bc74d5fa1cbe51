"""A rank: ``python rank.py``, started once, executes the notebook's cells until it is told to end.

The main thread owns MPI and the user's code, the courier's thread speaks with the relay. What they say is in
``docs/architecture.md``. The environment: ``HPCCTR_WORLD``, ``HPCCTR_RANK``, ``HPCCTR_RANKS``, ``HPCCTR_TOKEN``,
``HPCCTR_DIR``.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import os
import queue
import signal
import sys
import threading

if __name__ == "__main__":  # by its path, in an image that has not installed us
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    _package = __import__("loading").package()
    __import__(f"{_package}.mpirun.rank", fromlist=["main"]).main(sys.argv)
    sys.exit()

from .. import boot, startup
from . import failures
from .budget import Budget
from .courier import Courier, end_with_parent, python
from .interrupts import AGAIN_MS, Interrupts
from .stdio import Stdio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any, Optional

    from .shell import Shell

BROKEN = 70  # sysexits.h: EX_SOFTWARE


def main(argv: list[str]) -> None:
    """Become a rank; never returns."""
    cache = os.environ.pop(boot.CACHE_VARIABLE, "")
    rank = Rank(os.environ)
    if cache:
        cache += "-rank"
    cached = bool(cache) and startup.install(cache)
    try:
        rank.start()
        if cache and not cached and rank.number == 0:
            options = {"delay_s": boot.RECORD_AFTER_S}
            threading.Thread(target=startup.record, args=(cache,), kwargs=options, daemon=True).start()
        rank.serve()
    except BaseException:
        sys.excepthook(*sys.exc_info())
    os._exit(BROKEN)  # the interpreter's own end would finalize MPI, and wait there for ranks that are gone


class Rank:
    """One rank, from its environment on. ``serve`` runs in the main thread for as long as it lives."""

    def __init__(self, env: MutableMapping[str, str]) -> None:
        self.number, self.ranks = int(env["HPCCTR_RANK"]), int(env["HPCCTR_RANKS"])
        self.directory = env["HPCCTR_DIR"]
        self._world = env["HPCCTR_WORLD"]  # stays: by it the relay knows what a rank has started
        self._doing = "is starting: MPI is not initialized yet"
        self._busy = True
        self._cell = 0
        self._main, self._pid = threading.get_ident(), os.getpid()
        self._jobs: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._interrupts = Interrupts()
        self._courier = Courier(f"ipc://{self.directory}/world", f"{self._world}.{self.number}", self._hear, self._turn)
        self._stdio = Stdio(env.pop("HPCCTR_TOKEN"), self._say, self._interrupts)
        self._budget = Budget()
        self._shell: Optional[Shell] = None

    def start(self) -> None:
        """Connect, initialize MPI, make the shell, and say so."""
        end_with_parent()
        self._stdio.prepare()
        faulthandler.enable(2, all_threads=False)
        faulthandler.register(signal.SIGUSR1, 2, all_threads=False)
        self._interrupts.install()
        self._courier.connect()
        self._courier.start()
        boot.writable_homes(self.directory)
        mpi, error = start_mpi()
        self._doing = "is starting: IPython is being imported"
        try:
            from . import shell

            self._shell = shell.make(self._show, self._interrupts.begin)
        except ImportError as missing:
            os.write(2, f"{python()} of the image cannot run cells: {missing}\n".encode())
            os._exit(boot.NO_IPYKERNEL)
        self._busy = False
        up = {"kind": "up", "mpi": mpi, "mpi_error": error, "pid": os.getpid(), "host": os.uname().nodename}
        self._say({**up, "python": ".".join(map(str, sys.version_info[:3]))})

    def serve(self) -> None:
        """Do what the relay asks, until it asks to end."""
        while True:
            job = self._jobs.get()
            if job["op"] == "end":
                self._end()
            with contextlib.suppress(KeyboardInterrupt):  # at most the second of two within a microsecond
                getattr(self, f"_{job['op']}")(job)

    # -- in any thread

    def _say(self, message: dict[str, Any]) -> None:
        self._courier.send({**message, "rank": self.number})

    def _show(self, kind: str, content: dict[str, Any]) -> None:
        if self._budget.allows(kind, content):
            self._stdio.say({"kind": "display", "cell": self._cell, "message": kind, "content": content})

    # -- in the courier's thread

    def _hear(self, message: dict[str, Any]) -> None:
        if message["op"] == "interrupt":
            self._interrupts.ask()
        elif message["op"] == "stack":
            self._say({"kind": "stack", "ask": message["ask"], "lines": self._lines(), "busy": self._busy})
        else:
            if message["op"] == "end":
                self._courier.end_soon()
            self._interrupts.expect()
            self._jobs.put(message)

    def _turn(self) -> int | None:
        return AGAIN_MS if self._interrupts.ask_again() else None

    def _lines(self) -> list[str]:
        lines = self._shell.stands(self._main) if self._shell is not None and self._busy else []
        return lines or [self._doing]

    # -- in the main thread, one after the other

    def _execute(self, job: dict[str, Any]) -> None:
        shell, self._cell = self._shell, int(job["cell"])
        assert shell is not None  # noqa: S101  (start has made it)
        self._begin(f"is in cell {self._cell}")
        self._stdio.restore()
        try:
            failure, stopped = self._interrupts.guarded(lambda: shell.run(job["code"], self._cell), at_once=False)
            if stopped is not None:
                failure = shell.described(stopped)
        except BaseException as error:  # a hook of the user's, or IPython itself
            failure = shell.described(error)
        failure = failures.bounded(failure) if failure else None
        self._end_fork(failure)
        self._stdio.note(self._budget.renewed())
        self._busy, self._doing = False, "finished the cell"
        self._stdio.say({"kind": "done", "cell": self._cell, "status": "error" if failure else "ok", "error": failure})

    def _end_fork(self, failure: dict[str, Any] | None) -> None:
        """End a process that the cell has forked, and that has come to the cell's end: the rank is its parent."""
        if os.getpid() == self._pid:
            return
        if failure is not None:
            print("\n".join(failure["traceback"]), file=sys.stderr)
        self._stdio.flush()
        os._exit(1 if failure else 0)

    def _push(self, job: dict[str, Any]) -> None:
        from . import data

        def work() -> None:
            segment = data.Segment.open(job["segment"])
            values = {name: data.unpack(header, segment) for name, header in job["values"].items()}
            self._namespace().update(values)

        self._answer(job, "pushed", work, "takes in what is pushed")

    def _pull(self, job: dict[str, Any]) -> None:
        from . import data

        def work() -> dict[str, Any]:
            if job["name"] not in self._namespace():
                raise data.DataError(f"there is no variable {job['name']!r}")
            packed = data.pack(self._namespace()[job["name"]])
            segment = data.Segment.create([packed], self.directory, name=data.new_name(self._world))
            return {"header": packed[0], "segment": None if segment is None else segment.described()}

        self._answer(job, "pulled", work, "hands over what is pulled", {"header": None, "segment": None})

    def _check(self, job: dict[str, Any]) -> None:
        from . import check

        def work() -> dict[str, Any]:
            return {"result": check.check(self.number, self.ranks)}

        self._answer(job, "checked", work, "is in the check of MPI", {"result": {}})

    def _answer(self, job: dict[str, Any], kind: str, work: Any, doing: str, nothing: Any = None) -> None:
        self._begin(doing)
        error: str | None = None
        found = None
        try:
            found, stopped = self._interrupts.guarded(work)
            error = "it was interrupted" if stopped is not None else None
        except Exception as failed:
            said = failures.text(failed)
            error = failures.cut(said if type(failed).__name__ == "DataError" else f"{type(failed).__name__}: {said}")
        self._busy, self._doing = False, "finished the cell"
        self._say({"kind": kind, "ask": job["ask"], **(found or nothing or {}), "error": error})

    def _begin(self, doing: str) -> None:
        self._doing, self._busy = doing, True

    def _namespace(self) -> dict[str, Any]:
        namespace: dict[str, Any] = self._shell.user_ns if self._shell is not None else {}
        return namespace

    def _end(self) -> None:
        """End as a program does, as far as that goes: the courier ends the process in a moment."""
        self._doing, self._busy = "is ending", True
        with contextlib.suppress(BaseException):
            atexit._run_exitfuncs()
        with contextlib.suppress(BaseException):
            self._namespace().clear()  # files that cells have left open are written
            self._stdio.flush()
            finalize_mpi()
        os._exit(0)


def start_mpi() -> tuple[dict[str, Any] | None, str | None]:
    """Initialize MPI; return what it says of itself, or why there is none."""
    try:
        from mpi4py import MPI
    except ModuleNotFoundError as error:
        if error.name != "mpi4py":
            return None, f"mpi4py cannot be imported: {error}"
        return None, f"{python()} of the image has no mpi4py: add it with 'pip install mpi4py'"
    except (ImportError, RuntimeError) as error:
        return None, f"mpi4py finds no MPI library that it can use: {error}"
    world = MPI.COMM_WORLD
    threads = {
        getattr(MPI, f"THREAD_{name.upper()}"): name for name in ("single", "funneled", "serialized", "multiple")
    }
    return {
        "rank": world.Get_rank(),
        "size": world.Get_size(),
        "library": MPI.Get_library_version().strip("\0\n "),
        "standard": ".".join(map(str, MPI.Get_version())),
        "thread": threads.get(MPI.Query_thread(), "single"),
    }, None


def finalize_mpi() -> None:
    """Finalize MPI where a cell has not done so."""
    mpi = sys.modules.get("mpi4py.MPI")
    if mpi is not None and not mpi.Is_finalized():
        mpi.Finalize()
