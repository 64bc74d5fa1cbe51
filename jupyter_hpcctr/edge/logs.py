"""Lines of the log that say what they are about: ``log.info("…", extra=about(kernel=…, stage=…))``.

All loggers of the package are below "jupyter_hpcctr". In a Jupyter server their lines go where the server's own go,
with what they are about at the end, or as JSON.
"""

from __future__ import annotations

import copy
import datetime
import json
import logging
import re
from collections.abc import Mapping
from typing import Any

ROOT = "jupyter_hpcctr"
_ABOUT = "hpcctr"
_PLAIN = re.compile(r"[\w.:@/+,\[\]-]+")


def about(**fields: object) -> dict[str, Any]:
    """Return the ``extra`` of a line; fields that are None or "" are left out."""
    return {_ABOUT: {name: value for name, value in fields.items() if value is not None and value != ""}}


def fields(record: logging.LogRecord) -> Mapping[str, object]:
    """Return what a line is about."""
    found: Mapping[str, object] = getattr(record, _ABOUT, {})
    return found


def with_pairs(record: logging.LogRecord) -> logging.LogRecord:
    """Return a record whose one line of text ends with ``name=value`` for each field."""
    said = copy.copy(record)
    pairs = "".join(f" {name}={_word(value)}" for name, value in fields(record).items())
    text = record.getMessage()
    said.msg, said.args = (" ".join(text.split("\n")) + pairs if pairs else text), ()
    return said


def _word(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON: time, level, logger, message, its fields, and its exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        time = datetime.datetime.fromtimestamp(record.created).astimezone()
        said = {
            "time": time.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **fields(record),
        }
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False, default=str)


class _Relay(logging.Handler):
    """Hands records on to another logger, whose handlers and format they get."""

    def __init__(self, log: logging.Logger) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.handle(with_pairs(record))


class _Json(logging.StreamHandler[Any]):
    """Writes JSON."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self.setFormatter(JsonFormatter())


def attach(log: logging.Logger, *, style: str) -> None:
    """Send the package's lines where a logger's go, as "text" or "json"; once more replaces the last time.

    Handlers that somebody else has given to "jupyter_hpcctr" stay, and are then the only ones.
    """
    ours = logging.getLogger(ROOT)
    for handler in tuple(ours.handlers):
        if isinstance(handler, (_Relay, _Json)):
            ours.removeHandler(handler)
    ours.setLevel(log.level)
    if ours.handlers:
        return
    ours.propagate = False
    streams = (each.stream for each in log.handlers if isinstance(each, logging.StreamHandler))
    for handler in [_Relay(log)] if style == "text" else map(_Json, streams):
        ours.addHandler(handler)
