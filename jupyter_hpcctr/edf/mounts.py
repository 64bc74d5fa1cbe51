"""How a file writes what is mounted: ``SOURCE:DESTINATION[:FLAG+FLAG…]``."""

from __future__ import annotations

import posixpath

from ..core.request import mount
from ..errors import RequestError
from ..protocol.container import Mount

_AS_ALWAYS = ("", "rw", "rbind", "private", "rprivate", "x-create=dir", "x-create=auto")
"""Flags that say what is done anyway."""


def read(text: str, cwd: str) -> Mount:
    """Read one; a relative source (``./data``) is below ``cwd``.

    Raises
    ------
    RequestError
        It is written otherwise, or has a flag that cannot be kept.
    """
    source, *others = text.split(":")
    if not 1 <= len(others) <= 2 or not source or not others[0]:
        hint = "write both paths; flags stand behind a second colon"
        raise RequestError(f"mount {text!r} is not SOURCE:DESTINATION[:FLAGS]", hint=hint, field="mounts")
    target, flags = others[0], others[1].split("+") if len(others) > 1 else []
    unknown = [flag for flag in flags if flag != "ro" and flag not in _AS_ALWAYS]
    if unknown:
        raise RequestError(
            f"mount {text!r}: the flag {unknown[0]!r} cannot be kept here",
            hint="only directories are mounted, with ro or rw: leave other flags out",
            field="mounts",
        )
    return mount(whole(source, cwd), whole(target, cwd), read_only="ro" in flags)


def written(each: Mount) -> str:
    """Return a mount as a file writes it."""
    return f"{each.source}:{each.target}{':ro' if each.read_only else ''}"


def whole(path: str, cwd: str) -> str:
    """Return a path that begins with "./" or "../" as one below ``cwd``, any other as it is."""
    is_relative = path in (".", "..") or path.startswith(("./", "../"))
    return posixpath.normpath(posixpath.join(cwd, path)) if is_relative else path
