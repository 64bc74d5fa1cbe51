"""From a request to a file that reads back as the same request."""

from __future__ import annotations

from typing import Any

import tomli_w

from ..core.request import KernelRequest, to_dict
from ..core.wording import duration, memory
from . import expanding, images, mounts
from .layers import OURS


def write(request: KernelRequest) -> str:
    """Return a request as the text of a file, with what the format has no place for in ``[x-hpcctr]``."""
    ours = to_dict(request)
    found: dict[str, Any] = {}
    if request.image is not None and (named := images.written(request.image)) is not None:
        found["image"] = named
        del ours["image"]
    if request.workdir is not None:
        found["workdir"] = request.workdir
    if request.image is not None:
        found |= {"entrypoint": False, "writable": False}
    found["mounts"] = [mounts.written(each) for each in request.mounts]
    found["devices"] = list(request.devices)
    found["env"] = {name: text for name, text in request.env.items() if text}
    found["annotations"] = _nested(dict(request.annotations))
    for name in ("mounts", "devices", "annotations", "workdir", "env"):
        ours.pop(name, None)
    if empty := {name: text for name, text in request.env.items() if not text}:
        ours["env"] = empty
    if request.resources.mem_mb is not None:
        ours["mem"] = memory(ours.pop("mem_mb"))  # type: ignore[arg-type]
    if request.resources.time_minutes is not None:
        ours["time"] = duration(ours.pop("time_minutes"))  # type: ignore[arg-type]
    found[OURS] = ours
    return tomli_w.dumps({name: _escaped(value) for name, value in found.items() if value not in ([], {})})


def _nested(annotations: dict[str, str]) -> dict[str, Any]:
    """Return annotations as nested tables, flat where a key is also the beginning of another one."""
    tables: dict[str, Any] = {}
    for key, text in annotations.items():
        *above, last = key.split(".")
        table = tables
        for name in above:
            table = table.setdefault(name, {})
            if isinstance(table, str):
                return dict(annotations)
        if last in table:
            return dict(annotations)
        table[last] = text
    return tables


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return expanding.escaped(value)
    if isinstance(value, list):
        return [_escaped(each) for each in value]
    return {name: _escaped(each) for name, each in value.items()} if isinstance(value, dict) else value
