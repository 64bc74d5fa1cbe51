"""Kernelspecs of this package: what is in them, writing, finding and removing them."""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

from .core.request import KernelRequest, to_dict
from .errors import RequestError

PROVISIONER = "hpcctr"
_DAY_S = 86_400


def content(request: KernelRequest, display_name: str | None = None, *, saved: bool = True) -> dict[str, Any]:
    """Return the content of a ``kernel.json`` for a request.

    What Jupyter's own lists may show stands flat in ``metadata.hpcctr``: ``saved`` (false: made for one start),
    ``image``, ``nodes``, ``gpus`` (on all nodes) and ``created`` (seconds since 1970).
    """
    resources = request.resources
    where = f"{resources.nodes} node{'s' if resources.nodes > 1 else ''}"
    name = "Python" if request.image is None else request.image.text.rpartition("/")[2].partition("@")[0]
    return {
        "argv": list(request.argv) or ["python3", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": display_name or f"{name} on {where}",
        "language": "python",
        "interrupt_mode": "signal",
        "metadata": {
            "kernel_provisioner": {"provisioner_name": PROVISIONER, "config": {"request": to_dict(request)}},
            "hpcctr": {
                "saved": saved,
                "image": "" if request.image is None else request.image.text,
                "nodes": resources.nodes,
                "gpus": resources.nodes * resources.gpus_per_node,
                "created": int(time.time()),
            },
        },
    }


def content_name(request: KernelRequest) -> str:
    """Return the name of a request's one-off kernelspec: the same for the same request."""
    canonical = json.dumps(to_dict(request), sort_keys=True, separators=(",", ":"))
    return f"hpcctr-{hashlib.sha256(canonical.encode()).hexdigest()[:10]}"


def write(name: str, content: Mapping[str, object], *, prefix: str | None = None, replace: bool = False) -> str:
    """Install a kernelspec for this user, or below a prefix, and return its directory.

    Raises
    ------
    RequestError
        There is one of this name and ``replace`` is false, or Jupyter does not take the name.
    """
    manager = KernelSpecManager()
    if name in manager.find_kernel_specs() and not replace:
        raise RequestError(
            f"there is a kernelspec {name!r} already", hint="add --replace, or choose another name", field="name"
        )
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "kernel.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        try:
            return str(manager.install_kernel_spec(directory, name, user=prefix is None, prefix=prefix))
        except ValueError as error:
            raise RequestError(str(error), field="name") from error


def ours() -> dict[str, dict[str, Any]]:
    """Return the installed kernelspecs that name our provisioner: name → ``{"resource_dir", "spec"}``."""
    found = KernelSpecManager().get_all_specs()
    return {name: each for name, each in found.items() if _provisioner(each) == PROVISIONER}


def remove(name: str) -> str:
    """Remove a kernelspec of this package and return the directory that it had.

    Raises
    ------
    RequestError
        There is none of this name, or it is not ours.
    """
    if name not in ours():
        raise RequestError(
            f"{name!r} is no kernelspec of this package", hint="jupyter hpcctr kernelspec list", field="name"
        )
    try:
        return str(KernelSpecManager().remove_kernel_spec(name))
    except (NoSuchKernel, FileNotFoundError) as error:
        raise RequestError(f"the kernelspec {name!r} was removed meanwhile", field="name") from error


def collect(in_use: Collection[str], older_than_days: float) -> tuple[str, ...]:
    """Remove the kernelspecs that were made for one start, are not in use and are old; return their names."""
    oldest = time.time() - older_than_days * _DAY_S
    removed = []
    for name, each in ours().items():
        about = each["spec"]["metadata"].get("hpcctr")
        if name in in_use or not isinstance(about, dict) or about.get("saved") is not False:
            continue
        created = about.get("created")
        if isinstance(created, (int, float)) and created < oldest:
            remove(name)
            removed.append(name)
    return tuple(removed)


def _provisioner(found: Mapping[str, Any]) -> str:
    metadata = found["spec"].get("metadata") or {}
    return str((metadata.get("kernel_provisioner") or {}).get("provisioner_name", ""))
