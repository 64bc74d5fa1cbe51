"""Requests as texts, for pages: environment definition files, read and written; kernelspecs and commands."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .. import edf
from ..core.request import to_dict
from ..edge.loop import in_thread
from ..errors import RequestError
from ..offers.copies import command, kernelspec
from ..offers.words import form_words
from .document import asked

_UNNAMED = "the file"


async def read(body: Mapping[str, Any], *, cwd: str) -> dict[str, Any]:
    """Read a file, or the text of one; one that is refused is answered with what is wrong, and in which line."""
    try:
        found = await in_thread(_read, body, cwd)
    except RequestError as error:
        problem = {"field": error.field, "message": error.message, "hint": error.hint}
        return {"request": None, "notes": [], "problem": problem}
    return {"request": form_words(to_dict(found.request)), "notes": list(found.notes), "problem": None}


def _read(body: Mapping[str, Any], cwd: str) -> edf.Edf:
    if "path" in body:
        return edf.load(body["path"], env=os.environ, cwd=cwd)
    find = edf.Finder(os.environ, cwd)
    return edf.read(body["text"], body.get("name") or _UNNAMED, env=os.environ, cwd=cwd, find=find)


def written(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request as the text of a file. Raises ``RequestError`` where it cannot be understood."""
    return {"text": edf.write(asked(body["request"]))}


def copies(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request as a kernelspec and as a command. Raises ``RequestError`` where it cannot be understood."""
    request, title = asked(body["request"]), body["display_name"]
    return {"kernelspec": kernelspec(request, title), "command": command(request, title)}
