"""``jupyter hpcctr kernelspec add | list | remove``: kernelspecs that any Jupyter client can start by name."""

from __future__ import annotations

import argparse
import json
import shlex
import sys

from .. import kernelspecs
from ..config import load_policy
from ..core.request import KernelRequest
from ..errors import HpcctrError, RequestError
from ..plugins import image_store
from . import asking, parts
from .completion import kernelspec_names, offer


def register(commands: parts.Commands[argparse.ArgumentParser]) -> None:
    """Add ``kernelspec`` and its actions."""
    actions = parts.group(commands, "kernelspec", "add, list or remove kernelspecs of kernels on the cluster")
    add = parts.action(actions, "add", "add a kernelspec that every Jupyter client can start")
    add.add_argument("name", metavar="NAME", help="its name: letters, digits, '.', '_' and '-'")
    add.add_argument("--display-name", metavar="TEXT", help="its name in Jupyter's lists (default: image and nodes)")
    add.add_argument("--prefix", metavar="DIR", help="write below DIR/share/jupyter (default: your data directory)")
    add.add_argument("--replace", action="store_true", help="replace a kernelspec of the same name")
    asking.add_options(add)
    add.set_defaults(func=_add)
    listing = parts.action(actions, "list", "list the kernelspecs of kernels on the cluster")
    listing.add_argument("--json", action="store_true", help="print the kernelspecs as JSON")
    listing.set_defaults(func=_list)
    remove = parts.action(actions, "remove", "remove kernelspecs")
    name = remove.add_argument("name", metavar="NAME", nargs="+", help="their names, as 'kernelspec list' prints them")
    offer(name, kernelspec_names)
    remove.set_defaults(func=_remove)


def _add(arguments: argparse.Namespace) -> int:
    request = asking.request(arguments)
    content = kernelspecs.content(request, arguments.display_name)
    where = kernelspecs.write(arguments.name, content, prefix=arguments.prefix, replace=arguments.replace)
    print(f"wrote {where}/kernel.json")
    _say_what_is_missing(request)
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
    found = kernelspecs.ours()
    for name in arguments.name:
        if name not in found:
            raise RequestError(
                f"there is no kernelspec {name!r} of a kernel on the cluster",
                hint="run jupyter hpcctr kernelspec list for their names",
                field="name",
            )
    for name in arguments.name:
        print(f"removed {kernelspecs.remove(name)}")
    return 0
