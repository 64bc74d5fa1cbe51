"""A container on one node, whichever engine makes it, and an engine's answer: the command that puts a program in."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from .words import NODE

ImageKind = Literal["squashfs", "directory", "none"]
Environment = Literal["process", "quoted", "plain"]
"""How a command hands its environment to the program: as its own, or in a file of lines ``NAME='value'`` (nothing in
between is special), or of lines ``NAME=value``."""

SCRIPTS = "enginekit"
"""Below the private directory of a node: what engines have the host's Python run."""


@dataclass(frozen=True)
class Mount:
    """A directory of the host, or a file, that is to be seen in the container."""

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class Container:
    """What an engine makes. Paths are the host's unless said.

    ``image`` is the file or directory of the given kind; on the node, where the container is started, the name of the
    open file (``/proc/self/fd/3``). ``reference`` and ``digest`` name the image for engines that have images of their
    own. ``workdir`` is seen from inside. ``name`` is no other container's of this machine: letters, digits, "-", "_"
    and "." alone. ``scratch`` is an empty private directory for the engine's use.
    """

    name: str
    image: str
    kind: ImageKind
    reference: str
    digest: str
    mounts: tuple[Mount, ...]
    workdir: str
    scratch: str


@dataclass(frozen=True)
class Program:
    """A program for a container: its words, and the file of its environment, which is written before it is started.

    ``env`` is the environment itself, for engines that have to write it down their own way. Nothing is in it where it
    is not known yet: for programs that enter a container, and for people who are shown the words.
    """

    argv: tuple[str, ...]
    env_file: str
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NodeFacts:
    """What an engine may know of the node it runs on.

    ``python`` is the host's Python, and ``scripts`` the directory of ``jupyter_hpcctr.enginekit``'s scripts for it.
    ``cgroups`` is how control groups are mounted: "v1", "v2", "hybrid" or "none".
    """

    python: str
    scripts: str
    uid: int
    gid: int
    cgroups: str = ""


@dataclass(frozen=True)
class EngineCommand:
    """The words that put a program into a container, and what they need.

    ``environment`` says how the program gets its variables; the command itself has those of the host that are needed
    to find programs, unless it is "process". ``files`` (text by path, below the container's ``scratch``) are written
    before it runs, with their directories. ``pid_file`` is where the program's own process id will be, if signals to
    the command's process group do not reach it.
    """

    argv: tuple[str, ...]
    environment: Environment = "process"
    files: Mapping[str, str] = field(default_factory=dict)
    pid_file: str = ""


def on_node(container: Container, suffix: str) -> Container:
    """Return a container with ``NODE`` replaced by what tells a node's private directory from others'."""
    return dataclasses.replace(
        container,
        name=container.name.replace(NODE, suffix),
        scratch=container.scratch.replace(NODE, suffix),
        mounts=tuple(dataclasses.replace(each, source=each.source.replace(NODE, suffix)) for each in container.mounts),
    )
