"""What the hub is told when it is started, with the words of the plan and their gaps filled."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from ..guest import environment
from ..protocol.tasks import HubTask
from ..protocol.words import ARGV, HOLDER_PID, NODE


class Config(HubTask):
    """The hub's task, from the agent's private file or from ``plain``, and what it makes of the plan's words."""

    def enter(self, program: Sequence[str]) -> list[str]:
        """Return the words that run a program in the container, for a wrapper to fill in what is its node's."""
        words: list[str] = []
        for word in self.plan.enter.argv:
            words += program if word == ARGV else [word]
        return words

    def entered(self, program: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        """Return words and environment that run a program in this node's container from here."""
        words = [word.replace(NODE, "").replace(HOLDER_PID, self.holder_pid) for word in self.enter(program)]
        env = environment.compose(self.env, os.environ, self.pass_env, self.drop_env, self.image_env)
        reads = self.plan.enter.reads_env_file
        return words, environment.of_command(env, os.environ, self.drop_env, reads_env_file=reads)


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
