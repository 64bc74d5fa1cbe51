"""``jupyter hpcctr kernelspec add | list | remove``: kernelspecs that any Jupyter client can start by name."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager

from ..core.request import KernelRequest, to_dict
from ..errors import RequestError
from . import asking

PROVISIONER = "hpcctr"


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


def spec(request: KernelRequest, display_name: str | None) -> dict[str, object]:
    """Return the content of a ``kernel.json`` for a request."""
    raw = to_dict(request)
    where = f"{request.resources.nodes} node{'s' if request.resources.nodes > 1 else ''}"
    name = "Python" if request.image is None else request.image.text.rpartition("/")[2].partition("@")[0]
    return {
        "argv": list(request.argv) or ["python3", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": display_name or f"{name} on {where}",
        "language": "python",
        "interrupt_mode": "signal",
        "metadata": {
            "kernel_provisioner": {"provisioner_name": PROVISIONER, "config": {"request": raw}},
        },
    }


def ours() -> dict[str, dict[str, Any]]:
    """Return the installed kernelspecs that name our provisioner: name → ``{"resource_dir", "spec"}``."""
    found = KernelSpecManager().get_all_specs()
    return {name: each for name, each in found.items() if _provisioner(each) == PROVISIONER}


def _provisioner(found: dict[str, Any]) -> str:
    metadata = found["spec"].get("metadata") or {}
    return str((metadata.get("kernel_provisioner") or {}).get("provisioner_name", ""))


def _add(arguments: argparse.Namespace) -> int:
    manager = KernelSpecManager()
    content = spec(asking.request(arguments), arguments.display_name)
    if arguments.name in manager.find_kernel_specs() and not arguments.replace:
        raise RequestError(
            f"there is a kernelspec {arguments.name!r} already", hint="add --replace, or choose another name"
        )
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "kernel.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        try:
            where = manager.install_kernel_spec(
                directory, arguments.name, user=arguments.prefix is None, prefix=arguments.prefix
            )
        except ValueError as error:
            raise RequestError(str(error)) from error
    print(f"wrote {where}/kernel.json")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    found = ours()
    if arguments.json:
        print(json.dumps({name: each["spec"] for name, each in found.items()}, indent=2))
        return 0
    for name, each in sorted(found.items()):
        print(f"{name:24} {each['spec']['display_name']:40} {each['resource_dir']}")
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    found = ours()
    for name in arguments.name:
        if name not in found:
            raise RequestError(f"{name!r} is no kernelspec of this package", hint="jupyter hpcctr kernelspec list")
    for name in arguments.name:
        print(f"removed {KernelSpecManager().remove_kernel_spec(name)}")
    return 0
