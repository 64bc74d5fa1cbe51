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


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``images`` and its three words to a command line."""
    parser = subparsers.add_parser("images", help="pull, list or remove images")
    words = parser.add_subparsers(metavar="pull | list | remove", required=True)
    pull = words.add_parser("pull", help="fetch an image and flatten it into the store, once")
    pull.set_defaults(func=_pull)
    listing = words.add_parser("list", help="list the store's images, newest first")
    listing.add_argument("--json", action="store_true", help="everything that is known of them, as JSON")
    listing.set_defaults(func=_list)
    remove = words.add_parser("remove", help="forget a name, and delete its image when that was the last one")
    remove.set_defaults(func=_remove)
    for each in (pull, remove):
        each.add_argument("ref", metavar="REF", help="registry/name:tag, name@sha256:…, oci:DIR:TAG, oci-archive:FILE")


def _store() -> ImageStore:
    return image_store("squash", load_policy())


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
    rows = [("IMAGE", "DIGEST", "SIZE", "IPYKERNEL"), *(_row(i) for i in found)]
    widths = [max(len(row[n]) for row in rows) for n in range(4)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _row(image: ImageInfo) -> tuple[str, str, str, str]:
    return image.reference, image.digest[:19], f"{image.size_bytes / 1e6:.0f} MB", image.ipykernel or "none"


def _remove(args: argparse.Namespace) -> int:
    _store().remove(ImageRef(args.ref))
    return 0
