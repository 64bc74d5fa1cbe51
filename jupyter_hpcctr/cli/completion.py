"""``jupyter hpcctr completion``: what a shell needs to complete these commands, and the values that it offers."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable

from argcomplete.completers import FilesCompleter
from argcomplete.shell_integration import shellcode

from .. import edf, kernelspecs
from ..config import load_policy
from ..plugins import image_store
from . import parts

NAMES = ("jupyter", "jupyter-hpcctr")
"""The commands that are completed: ``jupyter`` hands on to its subcommands."""
_HOW = """\
For this shell:     eval "$(jupyter hpcctr completion bash)"
For later ones:     add that line to ~/.bashrc, or with zsh in place of bash to ~/.zshrc (after compinit)."""


def register(commands: parts.Commands[argparse.ArgumentParser]) -> None:
    """Add ``completion``."""
    each = parts.action(commands, "completion", "print the code that makes a shell complete these commands")
    each.formatter_class = argparse.RawDescriptionHelpFormatter
    each.epilog = _HOW
    each.add_argument("shell", choices=["bash", "zsh"])
    each.set_defaults(func=_print)


def _print(arguments: argparse.Namespace) -> int:
    print(shellcode(list(NAMES), shell=arguments.shell))
    return 0


def offer(option: argparse.Action, values: Callable[[], Iterable[str]]) -> None:
    """Have a shell offer these values for an option; they are asked for when somebody presses Tab."""

    def complete(**_: object) -> list[str]:
        return sorted(values())

    option.completer = complete  # type: ignore[attr-defined]


def offer_edf(option: argparse.Action) -> None:
    """Have a shell offer environment definition files: the names that are looked for, and paths."""
    paths = FilesCompleter(("toml",))

    def complete(prefix: str, **_: object) -> list[str]:
        return [*sorted(edf.Finder(os.environ, "").names()), *paths(prefix)]

    option.completer = complete  # type: ignore[attr-defined]


def kernelspec_names() -> Iterable[str]:
    """Return the names of our kernelspecs."""
    return kernelspecs.ours()


def stored_images() -> Iterable[str]:
    """Return the references of the images in the store."""
    return {image.reference for image in image_store(load_policy()).list()}


def known_images() -> Iterable[str]:
    """Return the references of the images in the store and of those that the site recommends."""
    return {*stored_images(), *(str(entry.reference) for entry in load_policy().catalogue)}
