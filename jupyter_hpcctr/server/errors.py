"""From the package's errors to HTTP: one table, one shape."""

from __future__ import annotations

from ..errors import (
    CommandError,
    CommandMissing,
    CommandTimeout,
    DiskFull,
    EngineError,
    HpcctrError,
    ImageError,
    ImageMissing,
    PolicyError,
    RecordError,
    RecordUnreadable,
    RequestError,
    SchedulerError,
    SchedulerUnreachable,
    SubmitRefused,
    UnsafePath,
)


class NotHere(HpcctrError):  # noqa: N818
    """What the address names is not there (any more)."""

    stage = "request"


TABLE: tuple[tuple[type[HpcctrError], int], ...] = (
    (RequestError, 400),
    (PolicyError, 403),
    (UnsafePath, 403),
    (NotHere, 404),
    (ImageMissing, 404),
    (ImageError, 422),
    (EngineError, 422),
    (SubmitRefused, 409),
    (RecordUnreadable, 500),
    (RecordError, 409),
    (SchedulerUnreachable, 503),
    (SchedulerError, 502),
    (CommandMissing, 503),
    (CommandTimeout, 504),
    (CommandError, 502),
    (DiskFull, 507),
    (HpcctrError, 500),
)
"""The first class that fits an error gives its status, unless it is ``transient``."""

LATER = 503
"""What may succeed later has this status, or the higher one of its class."""

DEEPEST = 10


def status(error: HpcctrError) -> int:
    """Return the HTTP status of an error."""
    code = next(code for kind, code in TABLE if isinstance(error, kind))
    return max(code, LATER) if error.transient else code


def body(error: HpcctrError) -> dict[str, object]:
    """Return what an answer says of an error."""
    return {
        "message": error.message,
        "hint": error.hint,
        "stage": error.stage,
        "field": error.field,
        "transient": error.transient,
    }


def jupyters(error: HpcctrError) -> dict[str, object]:
    """Return what an answer of Jupyter's own addresses says of an error.

    ``message`` is all that JupyterLab shows, so it holds the hint too; ``short_message`` does not.
    """
    said = {"message": str(error), "short_message": error.message, "reason": None, "traceback": ""}
    return {**body(error), **said}


def caused(error: BaseException | None) -> HpcctrError | None:
    """Return the error of this package that an error is, or was raised from; None where there is none."""
    for _ in range(DEEPEST):
        if error is None or isinstance(error, HpcctrError):
            return error
        error = error.__cause__
    return None


def plain(message: str) -> dict[str, object]:
    """Return the same shape for an error of HTTP itself."""
    return {"message": message, "hint": "", "stage": "http", "field": "", "transient": False}
