"""``jupyter hpcctr kernelspec add | list | remove``: kernelspecs that any Jupyter client can start by name."""

from __future__ import annotations

import argparse
import json
from typing import Any

from .. import kernelspecs
from ..errors import RequestError
from . import asking


def register(commands: Any) -> None:
    """Add the subcommand and its actions."""
    each = commands.add_parser("kernelspec", help="write, list or remove kernelspecs")
    actions = each.add_subparsers(title="actions", metavar="ACTION", required=True)
    add = actions.add_parser("add", help="write a kernelspec for a request")
    add.add_argument("name", help="its name: letters, digits, '.', '_' and '-'")
    add.add_argument("--display-name", help="what Jupyter shows (default: made from image and resources)")
    add.add_argument("--prefix", help="install below PREFIX/share/jupyter (default: for this user)")
    add.add_argument("--replace", action="store_true", help="write over one of the same name")
    asking.add_options(add)
    add.set_defaults(func=_add)
    listing = actions.add_parser("list", help="list the kernelspecs of this package")
    listing.add_argument("--json", action="store_true", help="as JSON")
    listing.set_defaults(func=_list)
    remove = actions.add_parser("remove", help="remove kernelspecs of this package")
    remove.add_argument("name", nargs="+")
    remove.set_defaults(func=_remove)


def _add(arguments: argparse.Namespace) -> int:
    content = kernelspecs.content(asking.request(arguments), arguments.display_name)
    where = kernelspecs.write(arguments.name, content, prefix=arguments.prefix, replace=arguments.replace)
    print(f"wrote {where}/kernel.json")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    found = kernelspecs.ours()
    if arguments.json:
        print(json.dumps({name: each["spec"] for name, each in found.items()}, indent=2))
        return 0
    for name, each in sorted(found.items()):
        print(f"{name:24} {each['spec']['display_name']:40} {each['resource_dir']}")
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    found = kernelspecs.ours()
    for name in arguments.name:
        if name not in found:
            raise RequestError(f"{name!r} is no kernelspec of this package", hint="jupyter hpcctr kernelspec list")
    for name in arguments.name:
        print(f"removed {kernelspecs.remove(name)}")
    return 0
