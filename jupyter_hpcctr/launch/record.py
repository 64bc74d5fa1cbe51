"""What another server has to know of a launch to go on with it, as a file that only its user can read."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cattrs

from ..core.job import JobId, JobStatus
from ..core.life import Life
from ..core.life.words import Failure, Value
from ..core.plan import LaunchPlan
from ..core.request import KernelRequest
from ..edge import files
from ..errors import RecordUnreadable
from .view import LaunchView

FORMAT = 3
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, cattrs.BaseValidationError)
NAME = "record.json"
"""The file in a kernel's directory."""


@dataclass(frozen=True)
class Kernel:
    """What Jupyter, and a person, know a kernel by; an id of "" is that of a kernel of which no record is kept.

    ``name`` is the kernelspec's. ``host`` and ``pid`` are those of the process that has the kernel, ``root`` is that
    one's root directory where it is a Jupyter server, else "".
    """

    id: str = ""
    name: str = ""
    host: str = ""
    pid: int = 0
    root: str = ""

    @property
    def owner(self) -> str:
        """What a person calls the process that has the kernel."""
        kind = "the Jupyter server" if self.root else "the program"
        return f"{kind} {self.pid} on {self.host}"

    @classmethod
    def here(cls, kernel_id: str, name: str, root: str) -> Kernel:
        """Return what is known of a kernel of this process."""
        return cls(kernel_id, name, socket.gethostname(), os.getpid(), root)


@dataclass(frozen=True)
class Session:
    """Jupyter's session of a kernel: what a notebook knows its kernel by."""

    id: str
    path: str
    name: str
    type: str


@dataclass(frozen=True)
class Submission:
    """One submission of a launch: its plan, the job's id, and the key by which the link knows its agent."""

    plan: LaunchPlan
    job: JobId | None
    agent: str


@dataclass(frozen=True)
class Record:
    """A launch. ``key`` signs its kernel's messages; ``name`` is what its tokens are made from."""

    kernel: Kernel
    name: str
    cwd: str
    key: str = field(repr=False)
    request: KernelRequest
    life: Life
    jobs: Mapping[int, Submission]
    view: LaunchView
    session: Session | None = None


def _value(data: Any, _: object) -> Any:
    """Tell apart what a sentence's value can be: dictionaries are failures or statuses, all else is itself."""
    if not isinstance(data, Mapping):
        return data
    return _CONVERTER.structure(data, Failure if "message" in data else JobStatus)


_CONVERTER = cattrs.Converter()
_CONVERTER.register_structure_hook_func(lambda kind: kind == Value, _value)
_CONVERTER.register_structure_hook_func(lambda kind: kind is object, lambda data, _: data)


def to_json(record: Record) -> dict[str, Any]:
    """Return a record as JSON has it."""
    return {"format": FORMAT, **_CONVERTER.unstructure(record)}


def from_json(found: dict[str, Any]) -> Record:
    """Read what ``to_json`` has made; raises one of ``UNREADABLE`` where it is something else."""
    return _CONVERTER.structure(found, Record)


def write(directory: Path, record: Record) -> None:
    """Write a record into its kernel's directory (0700, made where it is missing), whole or not at all. Blocking.

    Raises
    ------
    OSError, UnsafePath
        It cannot be written.
    """
    files.private_dir(directory.parent)
    files.private_dir(directory)
    files.write_private(directory / NAME, json.dumps(to_json(record)))


def read(directory: Path) -> Record:
    """Read a kernel's record. Blocking.

    Raises
    ------
    FileNotFoundError
        There is none.
    RecordUnreadable
        It is not this user's alone, is damaged, or is of a version of this package that writes them otherwise.
    """
    path = directory / NAME
    try:
        found = json.loads(files.read_private(path))
        if found.pop("format") != FORMAT:
            raise RecordUnreadable(f"{path} was written by another version of this package", hint=_HINT)
        return from_json(found)
    except FileNotFoundError:
        raise
    except (OSError, *UNREADABLE) as error:
        raise RecordUnreadable(f"{path} cannot be read: {error}", hint=_HINT) from error


_HINT = "its job can be found in the queue by its name, and cancelled there"
