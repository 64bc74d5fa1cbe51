"""What the hooks of CDI specs do, by their names: those that the vendors' toolkits write.

NVIDIA's are ``nvidia-cdi-hook NAME`` or ``nvidia-ctk hook NAME``; a spec may also run ldconfig itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .edits import Hook

# Nothing is to be done for these where an engine shows the node's /dev, and one directory has all libraries.
_NEEDLESS = frozenset({
    "update-ldcache", "ldconfig", "chmod", "disable-device-node-modification", "update-application-profile",
})  # fmt: skip


@dataclass(frozen=True)
class Hooks:
    """What hooks want.

    Attributes
    ----------
    links : tuple of (str, str)
        Symbolic links in the container: what each points to, and where it is.
    driver : str
        The version of the driver on the node, for CUDA's compatibility libraries; nothing if no hook says it.
    said : tuple of str
        A sentence for each hook whose effect is not known.
    """

    links: tuple[tuple[str, str], ...] = ()
    driver: str = ""
    said: tuple[str, ...] = ()


def understand(hooks: Iterable[Hook]) -> Hooks:
    """Return what hooks want."""
    links: list[tuple[str, str]] = []
    said: list[str] = []
    driver = ""
    for hook in hooks:
        name, words = _command(hook)
        if name == "create-symlinks":
            for word in _options(words, "link"):
                target, parts, link = word.partition("::")
                if parts and target and link and "::" not in link:
                    links.append((target, link))
                else:
                    said.append(f"the link {word!r} of the hook {name} is left out: write it as target::link")
        elif name == "enable-cuda-compat":
            driver = next(_options(words, "host-driver-version"), driver)
        elif name not in _NEEDLESS:
            said.append(f"the hook {name} ({hook.path}) is left out: only an engine that reads CDI itself can run it")
    return Hooks(tuple(links), driver, tuple(said))


def _command(hook: Hook) -> tuple[str, Sequence[str]]:
    words = hook.args[1:]
    if words[:1] == ("hook",):
        words = words[1:]
    program = os.path.basename(hook.path)
    if program in ("ldconfig", "ldconfig.real"):
        return "ldconfig", words
    return (words[0], words[1:]) if words and not words[0].startswith("-") else (program, words)


def _options(words: Sequence[str], name: str) -> Iterator[str]:
    for index, word in enumerate(words):
        option, equals, value = word.lstrip("-").partition("=")
        if word.startswith("-") and option == name:
            if equals:
                yield value
            elif index + 1 < len(words):
                yield words[index + 1]
