"""A job as a scheduler is told of it."""

from __future__ import annotations

from dataclasses import dataclass

from .request import Resources


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What a scheduler needs to know of a job.

    ``token`` is a word of letters, digits, "-" and "_" that no other job has, by which it can be found when its id
    is not known; "" for none.
    """

    name: str
    argv: tuple[str, ...]
    resources: Resources
    workdir: str
    log_file: str
    token: str = ""
