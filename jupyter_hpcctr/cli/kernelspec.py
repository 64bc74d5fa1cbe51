"""``jupyter hpcctr kernelspec add | list | edf | remove``: kernelspecs that any Jupyter client can start by name."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from pathlib import Path

from .. import edf, kernelspecs
from ..config import load_policy
from ..core.request import KernelRequest, parse
from ..errors import HpcctrError, RequestError
from ..plugins import image_store
from . import asking, parts
from .completion import kernelspec_names, offer


def register(commands: parts.Commands[argparse.ArgumentParser]) -> None:
    """Add ``kernelspec`` and its actions."""
    actions = parts.group(commands, "kernelspec", "add, list, show or remove kernelspecs of kernels on the cluster")
    add = parts.action(actions, "add", "add a kernelspec that every Jupyter client can start")
    add.add_argument("name", metavar="NAME", help="its name: letters, digits, '.', '_' and '-'")
    add.add_argument("--display-name", metavar="TEXT", help="its name in Jupyter's lists (default: image and nodes)")
    add.add_argument("--prefix", metavar="DIR", help="write below DIR/share/jupyter (default: your data directory)")
    add.add_argument("--replace", action="store_true", help="replace a kernelspec of the same name, or the file")
    add.add_argument("--save-edf", metavar="FILE", help="also write the request as an environment definition file")
    asking.add_options(add)
    add.set_defaults(func=_add)
    listing = parts.action(actions, "list", "list the kernelspecs of kernels on the cluster")
    listing.add_argument("--json", action="store_true", help="print the kernelspecs as JSON")
    listing.set_defaults(func=_list)
    as_edf = parts.action(actions, "edf", "print a kernelspec's request as an environment definition file")
    offer(
        as_edf.add_argument("name", metavar="NAME", help="its name, as 'kernelspec list' prints it"), kernelspec_names
    )
    as_edf.set_defaults(func=_as_edf)
    remove = parts.action(actions, "remove", "remove kernelspecs")
    name = remove.add_argument("name", metavar="NAME", nargs="+", help="their names, as 'kernelspec list' prints them")
    offer(name, kernelspec_names)
    remove.set_defaults(func=_remove)


def _add(arguments: argparse.Namespace) -> int:
    request = asking.request(arguments)
    content = kernelspecs.content(request, arguments.display_name)
    file = None if arguments.save_edf is None else Path(arguments.save_edf)
    if file is not None and file.exists() and not arguments.replace:
        hint = "add --replace, or choose another name"
        raise RequestError(f"there is a file {file} already", hint=hint, field="save-edf")
    where = kernelspecs.write(arguments.name, content, prefix=arguments.prefix, replace=arguments.replace)
    print(f"wrote {where}/kernel.json")
    if file is not None:
        _save(file, edf.write(request), replace=arguments.replace)
        print(f"wrote {file}")
    _say_what_is_missing(request)
    return 0


def _save(path: Path, text: str, *, replace: bool) -> None:
    def private(name: str, flags: int) -> int:  # a request may hold secrets
        return os.open(name, flags, 0o600)

    with open(path, "w" if replace else "x", encoding="utf-8", opener=private) as file:  # noqa: PTH123
        file.write(text)


def _as_edf(arguments: argparse.Namespace) -> int:
    name = arguments.name
    _check_known([name])
    found = kernelspecs.request_of(kernelspecs.ours()[name]["spec"])
    print(edf.write(parse(found)), end="")
    return 0


def _say_what_is_missing(request: KernelRequest) -> None:
    """Say on standard error that the image has to be fetched, where the store does not have it."""
    if request.image is None:
        return
    reference = request.image.text
    try:
        found = image_store(load_policy()).find(request.image)
    except HpcctrError as error:
        sys.stderr.write(f"note: the image store cannot be used: {error}\n")
        return
    if found is None:
        sys.stderr.write(
            f"note: {reference} is not in the image store: the kernel's first start fetches it. To fetch it now:\n"
            f"    jupyter hpcctr images pull {shlex.quote(reference)}\n"
        )


def _list(arguments: argparse.Namespace) -> int:
    found = kernelspecs.ours()
    if arguments.json:
        print(json.dumps({name: each["spec"] for name, each in found.items()}, indent=2))
        return 0
    rows = [(name, each["spec"]["display_name"], each["resource_dir"]) for name, each in sorted(found.items())]
    print(parts.table(("NAME", "DISPLAY NAME", "DIRECTORY"), rows))
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    _check_known(arguments.name)
    for name in arguments.name:
        print(f"removed {kernelspecs.remove(name)}")
    return 0


def _check_known(names: list[str]) -> None:
    found = kernelspecs.ours()
    for name in names:
        if name not in found:
            raise RequestError(
                f"there is no kernelspec {name!r} of a kernel on the cluster",
                hint="run jupyter hpcctr kernelspec list for their names",
                field="name",
            )
