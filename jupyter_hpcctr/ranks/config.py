"""What the hub is told when it is started, and the programs that it runs in its node's container."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property

from ..agent.engine import NodeEngine
from ..guest import environment
from ..protocol.container import EngineCommand
from ..protocol.tasks import HubTask


class Config(HubTask):
    """The hub's task, from the agent's private file or from ``plain``, and the engine that it names."""

    @cached_property
    def engine(self) -> NodeEngine:
        """The engine of this node's container."""
        return NodeEngine(self.plan)

    def enter(self, program: Sequence[str], env_file: str) -> EngineCommand:
        """Return what runs a program in this node's container, with an environment that somebody writes down."""
        return self.engine.enter(program, env_file, self.holder_pid)

    def entered(self, program: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        """Return words and environment that run a program in this node's container from here."""
        command = self.enter(program, f"{self.run_dir}/env")  # the kernel's own
        env = environment.compose(self.env, os.environ, self.pass_env, self.drop_env, self.image_env)
        reads = command.environment != "process"
        return list(command.argv), environment.of_command(env, os.environ, self.drop_env, reads_env_file=reads)


def filled(words: Sequence[str], values: Mapping[str, object]) -> list[str]:
    """Fill placeholders; a word whose placeholder has no value (None, "") is left out whole."""
    done = []
    for word in words:
        if any(placeholder in word and values[placeholder] in (None, "") for placeholder in values):
            continue
        for placeholder, value in values.items():
            word = word.replace(placeholder, str(value))  # noqa: PLW2901
        done.append(word)
    return done
