"""Every error that this package raises on purpose.

::

    HpcctrError                 stage, hint, field, transient
    ├── RequestError            what was asked for cannot be understood      (stage "request")
    ├── PolicyError             the site does not allow it                   (stage "resolve")
    ├── ImageError              image not found, not fetched, not usable     (stage "image")
    │   ├── ImageMissing        there is no such image
    │   └── PullCancelled       whoever asked for it wants it no more
    ├── EngineError             the container engine cannot do it            (stage "engine")
    ├── SchedulerError          the scheduler did not do what it was told    (stage "scheduler")
    │   ├── SubmitRefused       it answered, and said no
    │   └── SchedulerUnreachable  it did not answer                          (transient)
    │       └── SchedulerAway   there was no connection: it was not asked
    ├── LaunchError             the job runs, the kernel does not            (stage "launch")
    │   └── DiskFull            there is no room for the launch's files      (stage "disk")
    ├── CommandError            a command failed, is missing or took too long (stage "command")
    │   ├── CommandMissing
    │   └── CommandTimeout                                                   (transient)
    ├── ConfigurationError      the site's configuration cannot be read      (stage "configuration")
    ├── ClusterError            the downscaled cluster cannot do it          (stage "cluster")
    ├── RecordError             a kernel's record is not to be had           (stage "record")
    │   ├── RecordUnreadable    damaged, not the user's alone, or of another version
    │   └── KernelOwned         another process has the kernel
    └── UnsafePath              a path is not the user's alone               (stage "files")

Each has a ``hint``: one sentence that says what to do about it, and a ``field``: the request's field that
is at fault, "" where it is none. ``transient`` says that the same
request may succeed later without being changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NoReturn


class HpcctrError(Exception):
    """Base of the tree; never raised itself.

    Parameters
    ----------
    message : str
        What happened, in the user's words.
    hint : str, optional
        What to do about it.
    field : str, optional
        What is at fault, by its name in a request: "time", "partition", …
    """

    stage: str = "internal"
    transient: bool = False

    def __init__(self, message: str, *, hint: str = "", field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.field = field

    def __str__(self) -> str:
        """Return the message, and the hint after it where there is one."""
        return f"{self.message} ({self.hint})" if self.hint else self.message


class RequestError(HpcctrError):
    """What was asked for cannot be understood."""

    stage = "request"


class PolicyError(HpcctrError):
    """The site's policy does not allow what was asked for."""

    stage = "resolve"


class ImageError(HpcctrError):
    """An image is not found, cannot be fetched or cannot be used."""

    stage = "image"


class ImageMissing(ImageError):  # noqa: N818
    """There is no such image in the store."""


class PullCancelled(ImageError):  # noqa: N818
    """An image is no longer fetched because whoever asked for it wants it no more."""


class EngineError(HpcctrError):
    """A container engine cannot run what was planned."""

    stage = "engine"


class SchedulerError(HpcctrError):
    """A scheduler did not do what it was told."""

    stage = "scheduler"


class SubmitRefused(SchedulerError):  # noqa: N818  (it is a refusal)
    """The scheduler answered a submission, and said no."""


class SchedulerUnreachable(SchedulerError):  # noqa: N818
    """The scheduler did not answer; nothing is known of its jobs."""

    transient = True


class SchedulerAway(SchedulerUnreachable):
    """There was no connection to the scheduler: it has not heard what it was to be asked."""


class LaunchError(HpcctrError):
    """The job is there, the kernel is not."""

    stage = "launch"


class DiskFull(LaunchError):  # noqa: N818
    """A file system or a quota is full."""

    stage = "disk"


class CommandError(HpcctrError):
    """A command failed; its standard error is kept.

    Parameters
    ----------
    message : str
        What was tried.
    returncode : int or None
        Exit status, None where the command never ran to its end.
    stderr : str
        What the command said.
    """

    stage = "command"

    def __init__(self, message: str, *, hint: str = "", returncode: int | None = None, stderr: str = "") -> None:
        super().__init__(message, hint=hint)
        self.returncode = returncode
        self.stderr = stderr


class CommandMissing(CommandError):  # noqa: N818
    """A command is not installed here."""


class CommandTimeout(CommandError):  # noqa: N818
    """A command did not end in the time that it was given."""

    transient = True


class ConfigurationError(HpcctrError):
    """The site's configuration cannot be read, or says what is no value."""

    stage = "configuration"


class ClusterError(HpcctrError):
    """The downscaled cluster cannot be started, asked or stopped."""

    stage = "cluster"


class RecordError(HpcctrError):
    """What is kept of a kernel on disk is not to be had."""

    stage = "record"


class RecordUnreadable(RecordError):  # noqa: N818
    """It is damaged, not the user's alone, or was written by another version."""


class KernelOwned(RecordError):  # noqa: N818
    """Another process has the kernel."""


class UnsafePath(HpcctrError):  # noqa: N818
    """A path that should be ours alone belongs to, or is open to, somebody else."""

    stage = "files"


def described(error: HpcctrError) -> dict[str, object]:
    """Return an error as plain values: its class as "kind", and what it says; ``read`` reads them."""
    return {
        "kind": type(error).__name__,
        "stage": error.stage,
        "message": error.message,
        "hint": error.hint,
        "field": error.field,
        "transient": error.transient,
    }


def read(about: Mapping[str, object]) -> HpcctrError:
    """Return the error that ``described`` has written; where its class is not known, one of the same stage."""
    kinds = tuple(_kinds(HpcctrError))
    named = [each for each in kinds if each.__name__ == about.get("kind")]
    staged = [each for each in kinds if each.stage == about.get("stage")]
    kind: type[HpcctrError] = (*named, *staged, HpcctrError)[0]
    error = kind(str(about.get("message", "")), hint=str(about.get("hint", "")))
    error.field, error.transient = str(about.get("field", "")), bool(about.get("transient", error.transient))
    error.stage = str(about.get("stage", error.stage))
    return error


def _kinds(kind: type[HpcctrError]) -> Iterator[type[HpcctrError]]:
    for each in kind.__subclasses__():
        yield each
        yield from _kinds(each)


def assert_never(value: NoReturn) -> NoReturn:
    """Be where nothing comes that is not listed before, which the type checker sees to (``typing``'s is of 3.11)."""
    raise AssertionError(f"nobody has thought of {value!r}")
