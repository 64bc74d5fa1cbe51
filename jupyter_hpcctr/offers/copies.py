"""A request as others take it: the text of a kernelspec, and the command that writes one."""

from __future__ import annotations

import re

from .. import kernelspecs
from ..core import quote
from ..core.request import KernelRequest, to_dict
from .words import form_words

_REPEATED = {"mounts": "--mount", "devices": "--device"}
_PAIRS = {"env": "--env", "annotations": "--annotation"}


def kernelspec(request: KernelRequest, title: str) -> str:
    """Return the text of a ``kernel.json``; ``jupyter kernelspec install`` takes the directory that it lies in."""
    return kernelspecs.text(kernelspecs.content(request, title))


def command(request: KernelRequest, title: str) -> str | None:
    """Return the command that writes the same kernelspec, as a line for a shell.

    None where the command line has no option for what is asked: a command of the kernel's own.
    """
    if request.argv:
        return None
    given = form_words(to_dict(request))
    kind = given.pop("gpu_type", None)
    if kind is not None and "gpus_per_node" not in given:
        return None  # a type stands before the number
    words = ["jupyter", "hpcctr", "kernelspec", "add", _name(request), f"--display-name={title}"]
    for key, value in given.items():
        if key in _REPEATED and isinstance(value, list):
            words += [f"{_REPEATED[key]}={each}" for each in value]
        elif key in _PAIRS and isinstance(value, dict):
            words += [f"{_PAIRS[key]}={name}={text}" for name, text in value.items()]
        else:
            typed = f"{kind}:{value}" if key == "gpus_per_node" and kind is not None else value
            words.append(f"--{key.replace('_', '-')}={typed}")
    return quote.line(words)


def _name(request: KernelRequest) -> str:
    reference = "kernel" if request.image is None else request.image.text
    last = reference.partition("@")[0].rpartition("/")[2]
    return "-".join(re.findall(r"[A-Za-z0-9_.]+(?:-+[A-Za-z0-9_.]+)*", last)) or "kernel"
