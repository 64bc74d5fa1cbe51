"""Ranks for a kernel that nobody launched for us: a laptop's, Binder's, or one in an allocation of the user's own."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

from .. import guest, plugins
from ..agent import room
from ..agent.children import Child
from ..config import load_policy
from ..protocol import codec
from ..protocol.container import Container
from ..protocol.ranks import ImageMpi, RankPlan, Steps
from ..protocol.tasks import HubTask
from ..protocol.words import NODE
from .failure import RankError
from .launcher import program_of

log = logging.getLogger("hpcctr.ranks")

PATIENCE_S = 20.0
_HUB = (sys.executable, "-m", "jupyter_hpcctr.ranks")
_started: list[tuple[Child, str]] = []
_begun: list[tuple[dict[str, str], str]] = []
"""The environment and the directory of a hub that nobody has used yet."""


def begin() -> None:
    """Start this process's hub, where none runs, without waiting for it; what goes wrong is told by ``find``."""
    if "HPCCTR_RANK" not in os.environ and not _started:
        with contextlib.suppress(OSError):
            _started.append(_start())
            _begun.append((dict(os.environ), os.getcwd()))


def find() -> str:
    """Return the directory with the sockets of this process's hub, which is started where none runs.

    Raises
    ------
    RankError
        It did not start; the message has its last words.
    """
    if _begun and _begun.pop() != (dict(os.environ), os.getcwd()):
        stop()  # ranks have the environment and the directory of their first use
    if _started and _started[0][0].code is None:
        return _ready(*_started[0])
    if "HPCCTR_RANK" in os.environ:
        raise RankError(
            "NestedRanks", "this is a rank already: begin the notebook's cell with %%mpirun, not the ranks'"
        )
    while _started:  # one that was killed leaves its directory behind
        shutil.rmtree(os.path.dirname(_started.pop()[1]), ignore_errors=True)
    _started.append(_start())
    return _ready(*_started[0])


def stop() -> None:
    """End this process's hub, with its ranks."""
    while _started:
        _started.pop()[0].end(patience_s=3)


def _start() -> tuple[Child, str]:
    run_dir = f"{tempfile.gettempdir()}/hpcctr-{os.getuid()}-{secrets.token_hex(6)}"
    directory = f"{run_dir}/kernel"
    room.make(run_dir, (directory,))
    plan = _plan(run_dir)
    task = HubTask(
        env={},
        image_env={},
        pass_env=("*",),
        drop_env=(),
        plan=plan,
        run_dir=run_dir,
        workdir=os.getcwd(),
        dir=directory,
        dir_inside=directory,
        holder_pid="",
        kernel_pid=os.getpid(),
        node=plan.node(os.environ),
        plain=True,
    )
    room.write(f"{run_dir}/ranks.json", codec.to_json(task))
    log = f"{run_dir}/log"
    words = (*_HUB, f"{run_dir}/ranks.json")
    child = Child(words, env=dict(os.environ), cwd=run_dir, log=log)
    return child, directory


def _ready(child: Child, directory: str) -> str:
    run_dir = os.path.dirname(directory)
    until = time.monotonic() + PATIENCE_S
    while not os.path.exists(f"{directory}/ranks"):
        if child.code is not None or time.monotonic() > until:
            child.end(patience_s=0)
            said = Path(f"{run_dir}/log").read_text(errors="replace")[-2000:]
            shutil.rmtree(run_dir, ignore_errors=True)
            _started.clear()
            raise RankError("HubFailed", f"the process that looks after the ranks did not start:\n{said}")
        time.sleep(0.01)
    return directory


def _found() -> tuple[Steps | None, tuple[str, ...]]:
    """Return the words of the scheduler whose job this process is in, and all schedulers' ``job_env``."""
    steps: Steps | None = None
    job_env: list[str] = []
    for name in plugins.names(plugins.SCHEDULERS):
        try:
            scheduler = plugins.scheduler(name)
            found = scheduler.steps()
            job_env += scheduler.job_env
        except Exception as error:  # noqa: BLE001  (somebody else's: ranks do without)
            log.warning("the scheduler %s cannot be used: %r", name, error)
            continue
        steps = found if steps is None and found is not None and _is_within(found) else steps
    return steps, tuple(job_env)


def _is_within(steps: Steps) -> bool:
    """Whether this process is in a job of the scheduler that has these words, and can run them."""
    has_place = all(name in os.environ for name in (steps.variables.job, steps.variables.node))
    return has_place and shutil.which(program_of(steps.ranks)) is not None


def _plan(run_dir: str) -> RankPlan:
    """Return what a launch would have planned for no container at all."""
    steps, job_env = _found()
    reduces = steps is None and load_policy(None).ranks_beyond_machine == "reduce"
    scripts = f"{os.path.dirname(guest.__file__)}/mpirun"
    there = f"{run_dir}{NODE}"
    return RankPlan(
        steps=steps,
        job_env=job_env,
        engine="",
        container=Container("", "", "none", "", "", (), os.getcwd(), f"{there}/engine"),
        shares=True,
        holder=(),
        run_dir=there,
        directories=(f"{there}/kernel",),
        rank_argv=(sys.executable, f"{scripts}/rank.py"),
        hub_argv=_HUB,
        python=sys.executable,
        enter_script=f"{scripts}/enter.py",
        guest_python=sys.executable,
        guest_enter=f"{scripts}/enter.py",
        mpi=ImageMpi(),
        beyond="reduce" if reduces else "refuse",
        kernel_dir_host=f"{there}/kernel",
        kernel_dir=f"{there}/kernel",
    )
