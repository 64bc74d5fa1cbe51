"""A real munged, slurmctld and some slurmd as the calling user, with everything in one directory."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from ..core import quote
from ..errors import ClusterError, CommandError
from . import conf, daemons, processes, programs
from . import layout as lay
from .layout import Layout, Mark, Shape
from .processes import Process


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """A node as sinfo(1) sees it; ``state`` with Slurm's marks (``idle*`` does not answer)."""

    name: str
    state: str
    cpus: int
    memory_mb: int
    gres: str


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """How a cluster is. ``problem`` is "" where it is up; ``jobs`` counts those that have not ended."""

    directory: Path
    conf: Path
    problem: str
    nodes: tuple[NodeStatus, ...] = ()
    jobs: int = 0
    pids: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_up(self) -> bool:
        """Whether every daemon runs and the controller answers."""
        return not self.problem


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster of a directory, there or not: ``Cluster.up(…)`` starts one, ``Cluster.at(…)`` names one."""

    directory: Path

    @classmethod
    def at(cls, directory: Path | None = None) -> Cluster:
        """Name the cluster of a directory (None: the user's default one)."""
        return cls(Path(os.path.realpath(lay.default_directory() if directory is None else directory)))

    @classmethod
    def up(
        cls,
        directory: Path | None = None,
        *,
        nodes: int = 2,
        cpus: int | None = None,
        gpus: int = 0,
        memory_mb: int | None = None,
        features: Sequence[str] = (),
    ) -> Cluster:
        """Start a cluster and return when all of its nodes are idle; one of the same shape is left running.

        Parameters
        ----------
        directory : Path, optional
            Holds everything; made (0700) if needed, else it must be empty or left by an earlier cluster.
        nodes, cpus, gpus : int
            Number of nodes, and each node's declared CPUs (default: this machine's, 4 at least) and GPUs.
        memory_mb : int, optional
            Each node's declared memory in MiB (default: this machine's).
        features : sequence of str
            What the nodes are said to have (sbatch(1), ``--constraint``).

        Raises
        ------
        ClusterError, UnsafePath
            It cannot be started; nothing of it is left then.
        """
        cluster, shape = cls.at(directory), _shape(nodes, cpus, gpus, memory_mb, tuple(features))
        lay.check_directory(cluster.directory)
        found = programs.find()
        lay.user_name()
        with lay.claimed(cluster.directory) as made:
            cluster._ensure(Mark(shape, made), found)
        return cluster

    @property
    def conf(self) -> Path:
        """The cluster's slurm.conf."""
        return Layout(self.directory).conf

    @property
    def env(self) -> dict[str, str]:
        """What a process needs in its environment to talk to this cluster."""
        return {"SLURM_CONF": str(self.conf)}

    def status(self) -> ClusterStatus:
        """Say how the cluster is.

        Raises
        ------
        ClusterError
            There is no cluster in the directory.
        """
        layout = Layout(self.directory)
        mark, pids = layout.read_mark(), daemons.running(layout)
        about = partial(ClusterStatus, self.directory, self.conf, pids=pids)
        if mark is None and not pids:
            raise ClusterError(f"there is no cluster in {self.directory}", hint="start one: jupyter hpcctr cluster up")
        if mark is None:
            return about(problem="its files are gone")
        gone = [name for name in daemons.expected(mark.shape) if name not in pids]
        if gone:
            return about(problem="not running: " + ", ".join(gone))
        try:
            rows = daemons.ask(layout, "sinfo", "-h", "-N", "-o", "%N|%T|%c|%m|%G").splitlines()
            jobs = daemons.ask(layout, "squeue", "-h", "-o", "%i").splitlines()
        except CommandError as error:
            return about(problem=error.message)
        return about(problem="", nodes=tuple(_node(row) for row in rows), jobs=len(jobs))

    def down(self) -> bool:
        """Cancel the jobs, end every process and remove every file; False where there was nothing.

        Raises
        ------
        ClusterError
            A process could not be ended; the files stay then.
        """
        layout = Layout(self.directory)
        mark, before = layout.read_mark(), processes.of_cluster(self.directory)
        if any(process.name == "slurmctld" for process in before):
            with contextlib.suppress(CommandError):
                daemons.ask(layout, "scancel", "--user", lay.user_name())
            processes.wait_gone(partial(_jobs, self.directory), timeout_s=conf.KILL_WAIT_S + 3.0)
        daemons.end(layout)
        if mark is not None:
            layout.remove(mark)
        return mark is not None or bool(before)

    def _ensure(self, wanted: Mark, found: Mapping[str, str]) -> None:
        layout = Layout(self.directory)
        old = layout.read_mark()
        if processes.of_cluster(self.directory):
            return self._same(wanted.shape, old)
        if old is not None:  # a machine that was switched off leaves this
            layout.remove(Mark(old.shape, made_directory=False))
        wanted = Mark(wanted.shape, wanted.made_directory or (old is not None and old.made_directory))
        if any(self.directory.iterdir()):
            raise ClusterError(
                f"{self.directory} is not empty and holds no cluster", hint="choose an empty or new directory"
            )
        layout.write_mark(wanted)
        try:
            daemons.start(layout, wanted.shape, found)
        except BaseException:
            layout.remove(wanted)
            raise
        return None

    def _same(self, shape: Shape, old: Mark | None) -> None:
        status = self.status()
        if not status.is_up:
            raise ClusterError(
                f"only a part of the cluster in {self.directory} is left ({status.problem})",
                hint=f"end it first: jupyter hpcctr cluster down --dir {quote.line([str(self.directory)])}",
            )
        if old is not None and old.shape != shape:
            raise ClusterError(
                f"a cluster of another shape runs in {self.directory}: {asdict(old.shape)}",
                hint=f"end it first (jupyter hpcctr cluster down --dir {quote.line([str(self.directory)])}), "
                "or choose another --dir",
            )


def _shape(nodes: int, cpus: int | None, gpus: int, memory_mb: int | None, features: tuple[str, ...]) -> Shape:
    real_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    shape = Shape(nodes, max(4, os.cpu_count() or 1) if cpus is None else cpus, gpus, memory_mb or real_mb, features)
    if not 1 <= shape.nodes <= lay.MAX_NODES or min(shape.cpus, shape.gpus + 1, shape.memory_mb) < 1:
        raise ClusterError(
            f"there is no cluster of {shape.nodes} nodes with {shape.cpus} CPUs, {shape.gpus} GPUs and "
            f"{shape.memory_mb} MiB each",
            hint=f"1 to {lay.MAX_NODES} nodes of at least 1 CPU",
        )
    for name in features:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*", name):
            raise ClusterError(f"{name!r} is no name of a feature", hint="letters, digits and _.- after a letter")
    return shape


def _node(row: str) -> NodeStatus:
    name, state, cpus, memory_mb, gres = row.split("|")
    return NodeStatus(name, state, int(cpus), int(memory_mb), "" if gres == "(null)" else gres)


def _jobs(directory: Path) -> tuple[Process, ...]:
    daemon_names = ("munged", "slurmctld", "slurmd")
    return tuple(p for p in processes.of_cluster(directory) if p.name not in daemon_names)
