"""Which release of Debian or Ubuntu an image is built from: one that this machine has sources of. Part of build.py."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

APT, OS_RELEASE = Path("/etc/apt"), Path("/etc/os-release")
COMPONENTS = ("main", "universe")
"""Of an archive, as far as a source offers them: Ubuntu has MPI in ``universe``, Debian in ``main``."""

Source = tuple[str, str, str, tuple[str, ...]]
"""Options in brackets, address, suite and components of one archive."""


def choose(known: Collection[str]) -> str:
    """Return the suite to build from: this machine's own, else the first known one that its sources have."""
    offered = {suite for _, _, suite, _ in sources()}
    for suite in (*_own(), *known):
        if suite in known and suite in offered:
            return suite
    raise SystemExit(
        f"no apt source of {' or '.join(known)} here. Write one into a file and name the file in HPCCTR_APT_SOURCES:\n"
        "  deb [signed-by=KEYRING] ADDRESS SUITE main"
    )


def lines(suite: str) -> str:
    """Return the sources of a suite, its updates and its security, as one-line entries (sources.list(5))."""
    wanted = {suite, f"{suite}-updates", f"{suite}-security"}
    found = [
        f"deb {option}{address} {each} {' '.join(c for c in components if c in COMPONENTS) or 'main'}"
        for option, address, each, components in sources()
        if each in wanted
    ]
    if not found:
        raise SystemExit(f"no apt source of {suite} here: name a file with one in HPCCTR_APT_SOURCES")
    return "\n".join(dict.fromkeys(found)) + "\n"


def sources() -> list[Source]:
    """Return what the file in HPCCTR_APT_SOURCES names, else the machine's own sources."""
    if named := os.environ.get("HPCCTR_APT_SOURCES"):
        try:
            text = Path(named).read_text()
        except OSError as error:
            raise SystemExit(f"HPCCTR_APT_SOURCES cannot be read: {error}") from None
        return [*_stanzas(text), *_entries(text)]
    found: list[Source] = []
    for path in sorted(APT.glob("sources.list.d/*.sources")):
        found += _stanzas(path.read_text())
    for path in (APT / "sources.list", *sorted(APT.glob("sources.list.d/*.list"))):
        found += _entries(path.read_text()) if path.exists() else []
    return found


def fill(value: Any, words: dict[str, str]) -> Any:
    """Put a suite's words for ``{name}`` into all texts of a recipe; other braces stay."""
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda found: words.get(found[1], found[0]), value)
    if isinstance(value, list):
        return [fill(each, words) for each in value]
    return {fill(n, words): fill(each, words) for n, each in value.items()} if isinstance(value, dict) else value


def _own() -> list[str]:
    # UBUNTU_CODENAME is what a relative of Ubuntu is made from (os-release(5)).
    text = OS_RELEASE.read_text() if OS_RELEASE.exists() else ""
    said = dict(re.findall(r"^(\w+)=\"?([^\"\n]*)", text, re.MULTILINE))
    return [said[name] for name in ("VERSION_CODENAME", "UBUNTU_CODENAME", "DEBIAN_CODENAME") if name in said]


def _stanzas(text: str) -> list[Source]:
    """Read deb822 style, comments between fields included."""
    found: list[Source] = []
    for stanza in re.split(r"\n\s*\n", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)):
        field = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", stanza, re.MULTILINE))
        if "deb" in field.get("Types", "").split() and field.get("Enabled", "yes") != "no":
            key = field.get("Signed-By", "")
            option = f"[signed-by={key}] " if key.startswith("/") else ""
            components = tuple(field.get("Components", "").split())
            pairs = [(uri, suite) for uri in field["URIs"].split() for suite in field["Suites"].split()]
            found += [(option, uri, suite, components) for uri, suite in pairs]
    return found


def _entries(text: str) -> list[Source]:
    words = re.findall(r"^deb[ \t]+(?:(\[[^]]*\])[ \t]+)?(\S+)[ \t]+(\S+)([ \t].*)?$", text, re.MULTILINE)
    return [
        (f"{option} " if option else "", uri, suite, tuple(rest.partition("#")[0].split()))
        for option, uri, suite, rest in words
    ]
