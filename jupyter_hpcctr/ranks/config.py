"""What the hub is told when it is started, and the words of the plan with their gaps filled."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..guest import environment

HOLDER_PID, NODE, ARGV = "@HOLDER_PID@", "@NODE@", "@ARGV@"


@dataclass(frozen=True)
class Config:
    """The hub's configuration, from the agent's private file or from ``plain``; field names are the file's.

    ``plan`` is ``core.ranks.RankPlan`` as a mapping. ``dir`` is the kernel's directory for sockets on the host, and
    ``dir_inside`` the same as the kernel sees it. ``node`` is Slurm's name of this node, "" without Slurm.
    """

    plan: Mapping[str, Any]
    env: Mapping[str, str]
    pass_env: Sequence[str]
    drop_env: Sequence[str]
    run_dir: str
    workdir: str
    dir: str
    dir_inside: str
    holder_pid: str
    kernel_pid: int
    node: str
    plain: bool
    image_env: Mapping[str, str] = field(default_factory=dict)

    def enter(self, program: Sequence[str]) -> list[str]:
        """Return the words that run a program in the container, for a wrapper to fill in what is its node's."""
        words: list[str] = []
        for word in self.plan["enter"]["argv"]:
            words += program if word == ARGV else [word]
        return words

    def entered(self, program: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        """Return words and environment that run a program in this node's container from here."""
        words = [word.replace(NODE, "").replace(HOLDER_PID, self.holder_pid) for word in self.enter(program)]
        env = environment.compose(self.env, os.environ, self.pass_env, self.drop_env, self.image_env)
        reads = bool(self.plan["enter"]["reads_env_file"])
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
