"""``jupyter hpcctr images pull | list | remove``: the store of flattened images."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from typing import TextIO

from ..config import load_policy
from ..core.facts import ImageInfo
from ..core.pulling import PullStep
from ..core.request import ImageRef
from ..core.seams import ImageStore
from ..plugins import image_store
from . import asking, parts
from .completion import offer, stored_images


def register(commands: parts.Commands[argparse.ArgumentParser]) -> None:
    """Add ``images`` and its actions."""
    actions = parts.group(commands, "images", "pull, list or remove images of the image store")
    more = "The image is flattened to one file, once for all kernels."
    pull = parts.action(actions, "pull", "fetch an image into the image store", more)
    pull.add_argument("ref", metavar="REF", help=asking.REFERENCE)
    pull.set_defaults(func=_pull)
    listing = parts.action(actions, "list", "list the images of the image store, newest first")
    listing.add_argument("--json", action="store_true", help="print everything that is known of them as JSON")
    listing.set_defaults(func=_list)
    more = "The image itself is deleted with its last name. Jobs that use it keep it until they end."
    remove = parts.action(actions, "remove", "remove an image from the image store", more)
    offer(remove.add_argument("ref", metavar="REF", help="its name, as 'images list' prints it"), stored_images)
    remove.set_defaults(func=_remove)


def _store() -> ImageStore:
    return image_store(load_policy())


def _pull(args: argparse.Namespace) -> int:
    said = _Steps(sys.stderr)
    try:
        found = _store().pull(ImageRef(args.ref), said)
    finally:
        said.end()
    print(found.path)
    return 0


class _Steps:
    """Writes the steps of a pull, each on a line; on a terminal the line says how far the step is."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._name = out, ""

    def __call__(self, step: str) -> None:
        name = step.name if isinstance(step, PullStep) else step
        if name != self._name:
            self.end()
            self._out.write(step)
        elif self._out.isatty():
            self._out.write(f"\r\033[K{step}")
        self._name = name
        self._out.flush()

    def end(self) -> None:
        """End the last line."""
        if self._name:
            self._out.write("\n")
        self._name = ""


def _list(args: argparse.Namespace) -> int:
    found = _store().list()
    if args.json:
        print(json.dumps([dataclasses.asdict(i) for i in found], indent=2, sort_keys=True))
        return 0
    print(parts.table(("IMAGE", "DIGEST", "SIZE", "IPYKERNEL"), [_row(image) for image in found]))
    return 0


def _row(image: ImageInfo) -> tuple[str, str, str, str]:
    return image.reference, image.digest[:19], f"{image.size_bytes / 1e6:.0f} MB", image.ipykernel or "none"


def _remove(args: argparse.Namespace) -> int:
    _store().remove(ImageRef(args.ref))
    return 0
