"""The images that a user is offered: the site's catalogue, those used before, the store's, and what registries have."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import kernelspecs
from ..core.facts import ImageInfo, Policy
from ..core.ranks import image_mpi
from ..core.request import ImageRef
from ..core.seams import ImageStore
from ..errors import CommandError, HpcctrError, ImageError, RequestError

NEAR = 4
"""How many names are shown that are like one that there is not."""
_MPI = {"openmpi": "Open MPI", "mpich": "MPICH", "intelmpi": "Intel MPI", "mvapich2": "MVAPICH2"}
_ANNOTATIONS = "org.supercontainers."
_GPU_ENV = (("CUDA_VERSION", "CUDA"), ("ROCM_VERSION", "ROCm"))


@dataclass(slots=True)
class Shown:
    """An image in the list; ``info`` is what the store knows of it."""

    reference: str
    title: str = ""
    description: str = ""
    info: ImageInfo | None = None
    sources: list[str] = field(default_factory=list)


def gallery(
    store: ImageStore, policy: Policy, recent: Iterable[str], found: Iterable[str], text: str
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Return the images and what went wrong; reads the store's files, so not for a loop.

    Parameters
    ----------
    store, policy
        What is kept here, and the catalogue.
    recent : iterable of str
        References that kernels were asked for with, the last one first.
    found : iterable of str
        References that registries have found.
    text : str
        Words that each must be found in the name, title or description of all others; "" shows all.
    """
    problems: list[dict[str, str]] = []
    shown: dict[str, Shown] = {}
    for image in policy.catalogue:
        _add(shown, image.reference, "catalogue", title=image.title, description=image.description)
    for reference in recent:
        _add(shown, reference, "recent")
    for reference in found:
        _add(shown, reference, "registry")
    _look_up(store, shown, problems)
    try:
        for info in store.list():
            _add_stored(shown, info)
    except HpcctrError as error:
        problems.append({"registry": "", "message": str(error)})
    words = text.casefold().split()
    chosen = [s for s in shown.values() if "registry" in s.sources or all(word in _text(s) for word in words)]
    order = {image.reference: n for n, image in enumerate(policy.catalogue)}
    chosen.sort(key=lambda s: (s.info is None, order.get(s.reference, len(order)), s.title or s.reference))
    return [_described(each) for each in chosen], problems


def recent(store: ImageStore) -> list[str]:
    """Return the images that kernels were asked for with, the last one first; reads files, so not for a loop.

    Of those that were started once, without being saved, only the ones that the store has: a name that was misspelt
    is not offered again.
    """
    return [image for image, saved in kernelspecs.recent_images() if saved or _has(store, image)]


def check(store: ImageStore, policy: Policy, ref: ImageRef) -> dict[str, Any]:
    """Say whether there is an image of a name; waits for a registry, so not for a loop.

    ``found`` is None where that cannot be known now. ``near`` are names like it, where there is none.
    """
    made: dict[str, Any] = {"reference": ref.text, "found": True, "size_bytes": None, "message": "", "hint": ""}
    try:
        if store.find(ref) is None:
            made["size_bytes"] = store.check(ref) or None
    except (ImageError, CommandError) as error:
        gone = isinstance(error, ImageError) and not error.transient
        made |= {"found": False if gone else None, "message": error.message, "hint": error.hint}
    return {**made, "near": _near(store, policy, ref) if made["found"] is False else []}


def _near(store: ImageStore, policy: Policy, ref: ImageRef) -> list[str]:
    """Return names like one that there is not: those that are known here first, then those of its registry."""
    known = [image.reference for image in policy.catalogue]
    with contextlib.suppress(HpcctrError):
        known += [info.reference for info in store.list()]
    alike = difflib.get_close_matches(ref.text, known, NEAR, 0.8)
    short = {name.rpartition("/")[2]: name for name in reversed(known)}
    alike += [short[name] for name in difflib.get_close_matches(ref.text.rpartition("/")[2], short, NEAR, 0.8)]
    return list(dict.fromkeys([*alike, *store.near(ref)]))[:NEAR]


def _has(store: ImageStore, reference: str) -> bool:
    try:
        return store.find(ImageRef(reference)) is not None
    except HpcctrError:
        return False


def search(store: ImageStore, text: str) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    """Return what the site's registries have of a text, and which did not answer; waits for them, so not for a loop.

    Names at a registry are found by the first word; the others choose among them.
    """
    first, *words = text.split() or [""]
    found, failed = store.search(first) if first else ((), ())
    chosen = tuple(one for one in found if all(word.casefold() in one.casefold() for word in words))
    return chosen, [{"registry": error.field, "message": str(error)} for error in failed]


def _text(each: Shown) -> str:
    return f"{each.reference} {each.title} {each.description}".casefold()


def _add(shown: dict[str, Shown], reference: str, source: str, *, title: str = "", description: str = "") -> None:
    each = shown.setdefault(reference, Shown(reference, title, description))
    if source not in each.sources:
        each.sources.append(source)


def _look_up(store: ImageStore, shown: dict[str, Shown], problems: list[dict[str, str]]) -> None:
    for each in list(shown.values()):
        try:
            each.info = store.find(ImageRef(each.reference))
        except RequestError as error:  # a slip in the catalogue is no image that anybody could start
            problems.append({"registry": "", "message": str(error)})
            del shown[each.reference]
        except ImageError as error:
            problems.append({"registry": "", "message": str(error)})
        if each.info is not None:
            each.sources.append("store")


def _add_stored(shown: dict[str, Shown], info: ImageInfo) -> None:
    # The store writes names out; one that is listed in a shorter form already is not listed twice.
    for each in shown.values():
        if each.info is not None and each.info.digest == info.digest and _same(info.reference, each.reference):
            return
    each = shown.setdefault(info.reference, Shown(info.reference))
    each.info = info
    each.sources.append("store")


def _same(stored: str, reference: str) -> bool:
    names = (reference, f"{reference}:latest")
    return stored in names or stored.endswith(tuple(f"/{name}" for name in names))


def _described(each: Shown) -> dict[str, Any]:
    info = each.info
    return {
        "reference": each.reference,
        "title": each.title,
        "description": each.description,
        "digest": "" if info is None else info.digest,
        "size_bytes": None if info is None else info.size_bytes,
        "created": None if info is None else info.created or None,
        "on_cluster": info is not None,
        "sources": each.sources,
        "kernels": [f"ipykernel {info.ipykernel}"] if info is not None and info.ipykernel else [],
        "badges": [] if info is None else badges(info),
    }


def badges(info: ImageInfo) -> list[dict[str, str]]:
    """Return what an image is made for: its MPI, GPUs, processors, as far as its annotations and variables say."""
    made = []
    mpi = image_mpi(info)
    if mpi.implementation:
        name = _MPI.get(mpi.implementation, mpi.implementation)
        made.append({"kind": "mpi", "text": f"{name} {mpi.version}".strip()})
    gpu = [f"{name} {info.env[variable]}" for variable, name in _GPU_ENV if info.env.get(variable)]
    gpu += _annotated(info.annotations, "gpu")
    for kind, texts in (("gpu", gpu), ("cpu", _annotated(info.annotations, "cpu"))):
        made += [{"kind": kind, "text": text} for text in texts[:1]]
    return made


def _annotated(annotations: Mapping[str, str], part: str) -> list[str]:
    keys = sorted(k for k in annotations if k.startswith(_ANNOTATIONS) and part in k.split("."))
    return [annotations[key] for key in keys if annotations[key]]
