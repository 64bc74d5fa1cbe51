"""Starts a cluster's daemons and waits until they are ready."""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Mapping
from functools import partial

from ..core.job import Command
from ..edge import files, process
from ..errors import ClusterError, CommandError
from . import conf, ports, processes, programs
from .layout import Layout, Shape, node_names

_START_TIMEOUT_S = 30.0
_PORT_TRIES = 4
_GRACE_S = 3.0


def start(layout: Layout, shape: Shape, found: Mapping[str, str]) -> None:
    """Write the configuration, start the daemons, and return when all nodes are idle.

    Other ports are tried where somebody was faster.

    Raises
    ------
    ClusterError
        A daemon ended or the nodes did not become idle; the last lines of the log are in it, and none
        of the daemons is left.
    """
    for attempt in range(1, _PORT_TRIES + 1):
        try:
            return _start_once(layout, shape, found)
        except BaseException as error:
            end(layout)
            layout.clear()
            port_taken = isinstance(error, ClusterError) and error.transient
            if not port_taken or attempt == _PORT_TRIES:
                raise
    return None


def end(layout: Layout) -> None:
    """End every process of the cluster.

    Raises
    ------
    ClusterError
        Some are left even after SIGKILL.
    """
    left = processes.end(partial(processes.of_cluster, layout.directory), grace_s=_GRACE_S)
    if left:
        raise ClusterError(
            "still running: " + ", ".join(f"{p.name} ({p.pid})" for p in left),
            hint="they hang in the kernel; try again later",
        )


def running(layout: Layout) -> dict[str, int]:
    """Return the process id of each daemon that runs: ``munged``, ``slurmctld``, ``slurmd-n1``."""
    found: dict[str, int] = {}
    for each in processes.of_cluster(layout.directory):
        name = each.words[0].rpartition("/")[2] if each.words else ""
        if name == "slurmd" and "-N" in each.words:
            name = f"slurmd-{each.words[each.words.index('-N') + 1]}"
        if each.name in ("munged", "slurmctld", "slurmd") and name.partition("-")[0] == each.name:
            found.setdefault(name, each.pid)
    return found


def expected(shape: Shape) -> tuple[str, ...]:
    """Return the names of the daemons that a cluster of this shape has."""
    return ("munged", "slurmctld", *(f"slurmd-{name}" for name in node_names(shape.nodes)))


def ask(layout: Layout, *words: str) -> str:
    """Run one of Slurm's commands against the cluster and return what it prints.

    Raises
    ------
    CommandError
        It failed, is missing or took too long.
    """
    return process.check(Command(words), env=environment() | {"SLURM_CONF": str(layout.conf)}, timeout_s=10.0)


def environment() -> dict[str, str]:
    """Return the environment of the daemons and of our own questions: of the caller's only the PATH."""
    me = pwd.getpwuid(os.getuid())
    return {"PATH": programs.search_path(), "HOME": me.pw_dir, "USER": me.pw_name, "LANG": "C.UTF-8"}


def _start_once(layout: Layout, shape: Shape, found: Mapping[str, str]) -> None:
    env = environment()
    release = programs.release(found["slurmctld"], env)
    conf.write(layout, shape, first_port=ports.free_block(shape.nodes + 1), release=release)
    for name, words in _commands(layout, shape, found):
        out = process.run(Command(words), env=env)
        if out.returncode != 0:
            raise _failed(layout, name, out.stderr)
    _wait_idle(layout, shape)


def _commands(layout: Layout, shape: Shape, found: Mapping[str, str]) -> list[tuple[str, tuple[str, ...]]]:
    run, slurm_conf = layout.socket.parent, str(layout.conf)
    munged = (
        found["munged"],
        "--force",  # its checks are made for a key of root's
        f"--key-file={layout.key}",
        f"--socket={layout.socket}",
        f"--pid-file={run}/munged.pid",
        f"--seed-file={run}/munge.seed",
        f"--log-file={layout.log('munged')}",
    )
    nodes = [(f"slurmd-{n}", (found["slurmd"], "-N", n, "-f", slurm_conf)) for n in node_names(shape.nodes)]
    return [("munged", munged), ("slurmctld", (found["slurmctld"], "-i", "-f", slurm_conf)), *nodes]


def _wait_idle(layout: Layout, shape: Shape) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    said = ""
    while True:
        alive = running(layout)
        for name in expected(shape):
            if name not in alive:
                raise _failed(layout, name)
        try:
            states = ask(layout, "sinfo", "-h", "-N", "-o", "%T").split()
            said = f"the nodes are {', '.join(states)}"
        except CommandError as error:
            states, said = [], error.message
        if states == ["idle"] * shape.nodes:
            return
        if time.monotonic() > deadline:
            raise _failed(layout, "slurmctld", f"not ready after {_START_TIMEOUT_S:g} s: {said}")
        time.sleep(0.05)


def _failed(layout: Layout, daemon: str, said: str = "") -> ClusterError:
    last = files.tail(layout.log(daemon), lines=8)
    message = "\n".join(part for part in (f"{daemon} did not start", said.strip(), last) if part)
    if "already in use" in message:
        taken = ClusterError(message, hint="try again: somebody took a port that was free a moment ago")
        taken.transient = True
        return taken
    return ClusterError(message, hint="these are the last lines of its log; nothing of the cluster is left")
