"""From the package's errors to HTTP: one table, one shape."""

from __future__ import annotations

from ..errors import (
    CommandMissing,
    CommandTimeout,
    HpcctrError,
    ImageError,
    PolicyError,
    RequestError,
    SchedulerUnreachable,
    SubmitRefused,
)


class NotHere(HpcctrError):  # noqa: N818
    """What the address names is not there (any more)."""

    stage = "request"


TABLE: tuple[tuple[type[HpcctrError], int], ...] = (
    (RequestError, 400),
    (PolicyError, 403),
    (NotHere, 404),
    (ImageError, 404),
    (SubmitRefused, 409),
    (SchedulerUnreachable, 503),
    (CommandMissing, 503),
    (CommandTimeout, 504),
    (HpcctrError, 500),
)
"""The first class that fits an error gives its status."""


def status(error: HpcctrError) -> int:
    """Return the HTTP status of an error."""
    return next(code for kind, code in TABLE if isinstance(error, kind))


def body(error: HpcctrError) -> dict[str, object]:
    """Return what an answer says of an error."""
    return {
        "message": error.message,
        "hint": error.hint,
        "stage": error.stage,
        "field": error.field,
        "transient": error.transient,
    }


def plain(message: str) -> dict[str, object]:
    """Return the same shape for an error of HTTP itself."""
    return {"message": message, "hint": "", "stage": "http", "field": "", "transient": False}
