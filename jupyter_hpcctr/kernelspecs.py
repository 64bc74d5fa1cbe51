"""Kernelspecs of this package: what is in them, writing, finding and removing them."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
import threading
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

from .core.request import KernelRequest, to_dict
from .core.wording import memory, minutes_text
from .errors import RequestError

log = logging.getLogger(__name__)

PROVISIONER = "hpcctr"
_DAY_S = 86_400
_keeping = threading.Lock()


def content(request: KernelRequest, display_name: str | None = None, *, saved: bool = True) -> dict[str, Any]:
    """Return the content of a ``kernel.json`` for a request.

    What Jupyter's own lists may show stands flat in ``metadata.hpcctr``: ``saved`` (false: made for one start),
    ``image``, ``nodes``, ``gpus`` (on all nodes) and ``created`` (seconds since 1970). JupyterLab offers its debugger
    where ``debugger`` is true, as ipykernel's own kernelspec has it; of a command of the user's own nothing is known.
    ``supported_encryption`` is the front's, whatever the kernel.
    """
    resources = request.resources
    return {
        "argv": list(request.argv) or ["python3", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": display_name or _short_title(request),
        "language": "python",
        "interrupt_mode": "signal",
        "metadata": {
            **({} if request.argv else {"debugger": True}),
            "supported_encryption": ["curve"],
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


def text(content: Mapping[str, object]) -> str:
    """Return what a ``kernel.json`` with this content says."""
    return json.dumps(content, indent=2) + "\n"


def _short_title(request: KernelRequest) -> str:
    nodes = request.resources.nodes
    name = "Python" if request.image is None else request.image.text.rpartition("/")[2].partition("@")[0]
    return f"{name} on {nodes} node{'s' if nodes > 1 else ''}"


def _title(request: KernelRequest, name: str, known: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the shortest title of a request that no other kernelspec has."""
    asked = request.resources
    words = [f"{asked.ntasks} ranks" if asked.ntasks else ""]
    words += [f"{asked.cpus_per_task} CPUs per rank" if asked.cpus_per_task and asked.cpus_per_task > 1 else ""]
    words += [memory(asked.mem_mb) if asked.mem_mb else ""]
    words += [f"{asked.gpus_per_node} GPUs per node" if asked.gpus_per_node else ""]
    words += [asked.partition or "", minutes_text(asked.time_minutes) if asked.time_minutes else ""]
    short = _short_title(request)
    long = ", ".join([short, *filter(None, words)])
    taken = {each["spec"].get("display_name") for other, each in known.items() if other != name}
    return next((title for title in (short, long) if title not in taken), f"{long} ({name[-4:]})")


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
        if prefix is not None:  # else it is nobody else's to read: a request may hold secrets
            Path(directory).chmod(0o755)
        (Path(directory) / "kernel.json").write_text(text(content), encoding="utf-8")
        try:
            return str(manager.install_kernel_spec(directory, name, user=prefix is None, prefix=prefix))
        except ValueError as error:
            raise RequestError(str(error), field="name") from error


def keep(request: KernelRequest, display_name: str | None = None, *, saved: bool) -> tuple[str, dict[str, Any]]:
    """Write a request's kernelspec by the name of its content; return the name and what stands there now.

    The same request has the same one, and one that was saved is not touched when it is kept for one start only.
    Raises ``OSError`` where it cannot be written.
    """
    name = content_name(request)
    with _keeping:  # several pages may ask for the same at once
        specs = ours()
        known = specs.get(name, {}).get("spec")
        if known is not None and not saved and is_saved(known) and request_of(known) == to_dict(request):
            return name, known
        made = content(request, display_name or _title(request, name, specs), saved=saved)
        write(name, made, replace=True)
    return name, made


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
        made = created(each["spec"])
        if name in in_use or is_saved(each["spec"]) or made is None or made >= oldest:
            continue
        try:
            remove(name)
            removed.append(name)
        except (RequestError, OSError) as error:
            log.warning("the kernelspec %s was not removed: %s", name, error)
    return tuple(removed)


# -- what stands in one, however it was written: people may have changed it


def is_saved(spec: Mapping[str, Any]) -> bool:
    """Say whether a kernelspec stays, and was not made for one start only."""
    return _mapping(spec.get("metadata"), "hpcctr").get("saved") is not False


def created(spec: Mapping[str, Any]) -> float | None:
    """Return when a kernelspec was made, in seconds since 1970, None where it does not say."""
    made = _mapping(spec.get("metadata"), "hpcctr").get("created")
    return float(made) if isinstance(made, (int, float)) else None


def request_of(spec: Mapping[str, Any]) -> dict[str, object]:
    """Return the request in a kernelspec as it is written there, which ``parse`` may refuse."""
    return _mapping(spec.get("metadata"), "kernel_provisioner", "config", "request")


def recent_images() -> list[tuple[str, bool]]:
    """Return the images that the installed kernelspecs name, the newest first, and whether a saved one names it."""
    found: dict[str, bool] = {}
    for each in sorted(ours().values(), key=lambda each: -(created(each["spec"]) or 0)):
        image = _mapping(each["spec"].get("metadata"), "hpcctr").get("image")
        if image and isinstance(image, str):
            found[image] = found.get(image, False) or is_saved(each["spec"])
    return list(found.items())


def _provisioner(found: Mapping[str, Any]) -> str:
    return str(_mapping(found["spec"].get("metadata"), "kernel_provisioner").get("provisioner_name", ""))


def _mapping(value: object, *path: str) -> dict[str, Any]:
    """Return the mapping at a path of nested ones, an empty one where something else stands there."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}
