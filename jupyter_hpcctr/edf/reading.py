"""From files to a request: what they say in the request's words, and what it cannot say refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..core.request import KernelRequest, parse
from ..errors import RequestError
from . import images, mounts
from .layers import OURS, Find, Layers, Value, layers, placed

_ELSEWHERE = ("mounts", "devices", "annotations", "workdir")
_NEVER = {
    "entrypoint": ("the image's entrypoint is not run: the kernel is started itself", "write entrypoint = false"),
    "writable": ("an image is not written to", "write writable = false, and write to a directory that is mounted"),
}


@dataclass(frozen=True, slots=True)
class Edf:
    """What a file says.

    ``notes`` are sentences on what was left out because it is for other programs.
    """

    request: KernelRequest
    notes: tuple[str, ...] = ()


def read(text: str, name: str, *, env: Mapping[str, str], cwd: str, find: Find) -> Edf:
    """Read a file's text, and the files that it is based on.

    Parameters
    ----------
    text : str
        What is in the file.
    name : str
        What errors call it.
    env : mapping
        The variables that it may refer to.
    cwd : str
        The directory that relative paths to mount are below.
    find : callable
        Gives the place and the text of a file that this one is based on.

    Raises
    ------
    RequestError
        It is not understood, or asks for what a request cannot say; the message names file and line.
    """
    said = layers(text, name, env=env, find=find)
    for key, (message, hint) in _NEVER.items():
        if key in said.scalars and said.scalars[key].content:
            with said.scalars[key].named():
                raise RequestError(message, hint=hint)
    raw, places = _raw(said, cwd)
    try:
        return Edf(parse(raw), tuple(said.notes))
    except RequestError as error:
        place = places.get(error.field, Value(None, name, 0))
        raise placed(error, place.file, place.line) from error


def _raw(said: Layers, cwd: str) -> tuple[dict[str, Any], dict[str, Value]]:
    """Return the request's mapping, each value of which was understood by itself, and where its fields stand."""
    raw: dict[str, Any] = {}
    places: dict[str, Value] = {}
    for key, value in said.tables[OURS].items():
        with value.named():
            if key in _ELSEWHERE:
                hint = f"write it outside of [{OURS}], where others read it too"
                raise RequestError(f"{key} has a place of its own", hint=hint, field=key)
            parse({key: value.content})
        raw[key], places[key] = value.content, value
    _add_named(said, cwd, raw, places)
    for value in said.lists["mounts"]:
        with value.named():
            raw.setdefault("mounts", []).append(mounts.written(mounts.read(value.content, cwd)))
        places["mounts"] = value
    for value in said.lists["devices"]:
        with value.named():
            parse({"devices": [value.content]})
        raw.setdefault("devices", []).append(value.content)
        places["devices"] = value
    for table in ("env", "annotations"):
        for key, value in said.tables[table].items():
            with value.named():
                parse({table: {key: value.content}})
            places[table] = value
        given = {key: value.content for key, value in said.tables[table].items()}
        raw[table] = given | (raw.get(table) or {})
    return raw, places


def _add_named(said: Layers, cwd: str, raw: dict[str, Any], places: dict[str, Value]) -> None:
    image, workdir = said.scalars.get("image"), said.scalars.get("workdir")
    if image is not None and image.content:  # with an empty one, no container is entered
        with image.named():
            if raw.get("image"):
                hint = f"leave one of them out: [{OURS}] names one too"
                raise RequestError("the image is given twice", hint=hint, field="image")
            raw["image"], places["image"] = images.read(image.content).text, image
    if workdir is not None and workdir.content:
        with workdir.named():
            raw["workdir"], places["workdir"] = mounts.whole(workdir.content, cwd), workdir
            parse({"workdir": raw["workdir"]})
