"""Which MPI there is where the ranks will run: what the image says of itself, or else what a probe finds."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from ..agent.children import Child
from ..protocol import words as placeholders
from ..protocol.ranks import Probe
from .config import Config, filled
from .failure import RankError

PATIENCE_S = 60.0


def look(config: Config) -> Generator[None, None, dict[str, str]]:
    """Return ``family``, ``version``, ``library``, ``mpiexec``, ``mpiexec_family``; "" for what is not known.

    Where a scheduler starts the ranks and the image is annotated, nothing is run.

    Raises
    ------
    RankError
        The image has no Python that could be asked.
    """
    says = config.plan.mpi
    if config.plan.steps is not None and says.implementation:
        return {
            "family": says.implementation,
            "version": says.version,
            "library": "",
            "mpiexec": "",
            "mpiexec_family": "",
        }
    probe = config.plan.guest_enter.rpartition("/")[0] + "/probe.py"
    words, env = config.entered([config.plan.guest_python, probe])
    printed = yield from answer(config, words, env)
    try:
        found: dict[str, str] = json.loads(printed.strip().splitlines()[-1])
    except (ValueError, IndexError):
        raise RankError("NoPython", f"the MPI of the image cannot be found out: {printed.strip()[-500:]}") from None
    return found


def asked(config: Config, probe: Probe, **values: object) -> Generator[None, None, list[str]]:
    """Return what a scheduler's words find in the job; ``values`` are of the placeholders in them, by name."""
    words = filled(probe.words, {getattr(placeholders, name): value for name, value in values.items()})
    printed = yield from answer(config, words, dict(os.environ))
    return [found[1] for found in re.finditer(probe.pattern, printed, re.MULTILINE)]


def answer(config: Config, words: Sequence[str], env: Mapping[str, Any]) -> Generator[None, None, str]:
    """Run a short program and return all that it printed; one that hangs is ended."""
    log = f"{config.run_dir}/answer-{time.monotonic_ns()}"
    child = Child(words, env=env, cwd=config.run_dir, log=log)
    until = time.monotonic() + PATIENCE_S
    try:
        while child.code is None and time.monotonic() < until:
            yield
    finally:  # also where whoever asked does not wait any more
        child.end(patience_s=0)
        with open(log, encoding="utf-8", errors="replace") as file:
            printed = file.read()
        os.unlink(log)
    return printed
