"""A plan's engine on this node: its commands for programs, with what the node alone knows.

The engine's class is loaded by the name that stands in the plan, from the archive that the job carries.
"""

from __future__ import annotations

import dataclasses
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import EngineError
from ..protocol.container import SCRIPTS, EngineCommand, Mount, NodeFacts, Program, on_node
from ..protocol.ranks import RankPlan
from ..protocol.words import NODE


class NodeEngine:
    """Makes commands; runs none.

    Parameters
    ----------
    plan : RankPlan
        What is to be made, and by which engine.
    suffix : str
        What tells this node's private directory from the first node's: "", or ``.n2``.

    Raises
    ------
    EngineError
        The engine is not in the job's archive.
    """

    def __init__(self, plan: RankPlan, suffix: str = "") -> None:
        scripts = f"{plan.run_dir.replace(NODE, suffix)}/{SCRIPTS}"
        self.container = on_node(plan.container, suffix)
        self._shares, self._suffix = plan.shares, suffix
        self._engine = _load(plan.engine) if plan.engine else None
        self._node = NodeFacts(sys.executable, scripts, os.getuid(), os.getgid(), cgroups())

    def add(self, mounts: Sequence[Mount]) -> None:
        """Add mounts that this node alone knows; raises ``EngineError`` where the engine cannot make them."""
        if mounts and self._engine is not None:
            self.container = dataclasses.replace(self.container, mounts=(*self.container.mounts, *mounts))
            self._engine.check(self.container)

    def start(
        self, argv: Sequence[str], env_file: str, *, image: str = "", env: Mapping[str, str] | None = None
    ) -> EngineCommand:
        """Return what starts a container with a program; ``image`` is the open file in the place of its name."""
        program = self._program(argv, env_file, env)
        if self._engine is None:
            return EngineCommand(program.argv)
        made = dataclasses.replace(self.container, image=image or self.container.image)
        command: EngineCommand = self._engine.start(made, program, self._node)
        return command

    def enter(self, argv: Sequence[str], env_file: str, holder_pid: str) -> EngineCommand:
        """Return what runs a program in the container of a parked process, or in one of its own."""
        if self._engine is None or not self._shares:
            return self.start(argv, env_file)
        program = self._program(argv, env_file)
        command: EngineCommand = self._engine.enter(self.container, holder_pid, program, self._node)
        return command

    def _program(self, argv: Sequence[str], env_file: str, env: Mapping[str, str] | None = None) -> Program:
        return Program(tuple(word.replace(NODE, self._suffix) for word in argv), env_file, env or {})

    def remove(self) -> EngineCommand | None:
        """Return what removes a container whose starter may have been killed, None where nothing stays."""
        found: EngineCommand | None = None
        if self._engine is not None:
            found = self._engine.remove(self.container, self._node)
        return found


def _load(name: str) -> Any:
    module, _, kind = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in kind.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        message = f"the engine {name} of this job is not in its archive: {error}"
        raise EngineError(message, hint="restart the kernel: that submits a new job") from error
    return found()


def cgroups() -> str:
    """Return how control groups are mounted (cgroups(7)); what is mounted below may be mixed."""
    kinds = set()
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            if " - cgroup" in line:
                kinds.add(line.partition(" - ")[2].split()[0])
    return {frozenset(): "none", frozenset(("cgroup",)): "v1", frozenset(("cgroup2",)): "v2"}.get(
        frozenset(kinds), "hybrid"
    )
