"""The two sides, each in a notebook's kernel of its own: ``%%mpirun``, and ipyparallel's ``%%px`` on the same MPI."""

import contextlib
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import psutil
from place import Managed
from probe import Probe

PATIENCE_S = 180.0
_kept = {}
LAUNCHERS = {"openmpi": ("mpiexec.openmpi", "--oversubscribe"), "mpich": ("mpiexec.hydra", "-launcher", "fork")}


def use(place, effort):
    """Choose the MPI for this process and all that it starts; return the words of its launcher.

    A smoke has ipyparallel's controller look for its engines more often than each three seconds, and keeps the sides.

    mpi4py's wheel asks for ``libmpi.so.12``, the name of the MPICH ABI initiative; Debian's MPICH has another one.
    """
    Side.keeps = effort.of(False, False, True)
    Px.options = effort.of("", "", ", delay=0, controller_args=['--HeartMonitor.period=300']")
    family = place["mpi"]
    if family == "mpich":
        libraries = Path(place["directory"], "mpich")
        libraries.mkdir(exist_ok=True)
        name = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
        found = re.search(r"libmpich\.so\.12 .*=> (\S+)", name)[1]
        if not (libraries / "libmpi.so.12").is_symlink():
            (libraries / "libmpi.so.12").symlink_to(found)
        os.environ |= {"LD_LIBRARY_PATH": str(libraries), "MPI4PY_MPIABI": "mpich"}
    command, *options = LAUNCHERS[family]
    return (shutil.which(command) or command, *options)


def stop_kept():
    """End the sides that are kept."""
    while _kept:
        _kept.popitem()[1].stop()


class Notebook(Managed):
    """A kernel of this machine and a client. ``setup`` is the notebook's first cell, which nobody waits for here."""

    name = setup = before_stop = ""

    def __init__(self):
        super().__init__("python3")
        self.probe = Probe(self.info)
        self.probe.first_result()
        self.started = []
        self.seconds(self.setup)

    def seconds(self, code, *, seen=lambda kind, parts: None, ok=True, patience_s=PATIENCE_S):
        """Run a cell of the notebook; return how long its user waits."""
        began = time.perf_counter()
        self.probe.execute(code, seen, expected="ok" if ok else "error", timeout_s=patience_s)
        return time.perf_counter() - began

    def said(self, code, **more):
        """Run a cell; return what it published, as the bytes of the messages."""
        found = []
        self.seconds(code, seen=lambda kind, parts: found.append(bytes(parts[3])), **more)
        return b"\n".join(found)

    def remember(self):
        """Note all processes below the kernel: what a hung MPI leaves is ended with the notebook."""
        self.started = psutil.Process(self.manager.provisioner.pid).children(recursive=True)

    def stop(self):
        """End the kernel and whatever it has started."""
        try:
            if self.before_stop:
                self.seconds(self.before_stop, patience_s=20)
        except AssertionError:
            pass  # it hangs: that is what some of it is about
        finally:
            self.probe.context.destroy(linger=0)
            super().stop()
            for process in self.started:
                if process.is_running():
                    process.kill()
            psutil.wait_procs(self.started, timeout=10)


class Side(Notebook):
    """One of the two ways to have code run on MPI ranks."""

    magic, keeps, ranks = "", False, 0

    @classmethod
    @contextlib.contextmanager
    def ready(cls, ranks, *args):
        """Yield a side whose ranks are there."""
        side = _kept.pop((cls, ranks), None) or cls(*args)
        try:
            if not side.ranks:
                side.start(ranks)
            yield side
        except BaseException:
            side.stop()
            raise
        side.leave()

    def leave(self):
        """End it, or keep it for the next that is to be tried."""
        key = (type(self), self.ranks)
        if self.keeps and key not in _kept:
            _kept[key] = self
        else:
            self.stop()

    def start(self, ranks):
        """Return the seconds until ranks are there; they are asked whether they are one MPI world."""
        took = self.seconds(self.start_code(ranks))
        self.ranks = ranks
        self.remember()
        self.run(f"import os\nfrom mpi4py import MPI\nassert MPI.COMM_WORLD.size == {ranks}")
        return took

    def run(self, code, **more):
        """Run a cell on all ranks."""
        return self.seconds(f"{self.magic}\n{code}", **more)


class Mpirun(Side):
    """This product."""

    name, magic = "%%mpirun", "%%mpirun"
    setup = "%load_ext jupyter_hpcctr\nimport numpy as np"
    before_stop = "%unload_ext jupyter_hpcctr"
    start_code = "%mpirun start -n {} --oversubscribe".format
    push_code = "%mpirun push {}".format
    pull_code = "pulled = %mpirun pull {}".format
    forget_code = "pulled = None"


class Px(Side):
    """What people use instead."""

    name, magic, options = "ipyparallel's %%px", "%%px", ""
    before_stop = "cluster.stop_cluster_sync()"
    push_code = "view.push(dict({0}={0}), block=True)".format
    pull_code = "pulled = view.pull('{}', block=True)".format
    forget_code = "pulled = None; rc.results.clear(); rc.metadata.clear(); view.results.clear()"

    def __init__(self, launcher):
        command, *options = launcher
        self.setup = f"""
import ipyparallel, numpy as np
from traitlets.config import Config
config = Config()
config.MPIEngineSetLauncher.mpi_cmd = [{command!r}]
config.MPIEngineSetLauncher.mpi_args = {options!r}
"""
        super().__init__()

    def start_code(self, ranks):
        """The words of ipyparallel's documentation, with this launcher."""
        cluster = f"ipyparallel.Cluster(engines='mpi', n={ranks}, config=config, log_level=40{self.options})"
        return f"cluster = {cluster}\nrc = cluster.start_and_connect_sync(activate=True)\nview = rc[:]"
