"""The image store: one SquashFS file an image, by digest, fetched once and shared by everything that runs it."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import tempfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from ..core.facts import ImageInfo, Policy
from ..core.pulling import PullStep
from ..core.request import ImageRef
from ..errors import ImageError, ImageMissing
from . import fetch, meter, places, rootfs, search
from .fetch import Resolved, Source
from .meter import Meter
from .records import Name, Record, Shelf, canonical, info

WAITING = "waiting for another pull of the same image"
SPEEDS = "speeds.json"
"""Seconds per packed byte of each step of the last pull, in the store."""


class SquashStore:
    """Keeps images as SquashFS files below ``policy.store``.

    Parameters
    ----------
    policy : Policy
        ``store`` is the directory, ``mount_points`` the root directories that each image gets,
        ``insecure_registries`` the hosts (with or without a port) that are asked by plain http,
        ``store_owners`` those who may write in the store besides the user and root.
    """

    def __init__(self, policy: Policy) -> None:
        if not policy.store:
            raise ImageError("the image store has no directory", hint="set HpcctrSite.store")
        self._policy = policy
        self._shelf = Shelf(Path(policy.store), policy.store_owners)

    def find(self, ref: ImageRef) -> ImageInfo | None:
        """Return what the store holds under this name: reads two small files and asks nobody.

        Raises
        ------
        ImageError
            The image or its record can have been written by somebody else, or is damaged.
        """
        known = self._shelf.name(canonical(ref))
        return None if known is None else self._info(known.digest, ref.text)

    def missing(self, image: ImageInfo, paths: Collection[str]) -> tuple[str, ...]:
        """Return those of some absolute paths that an image is known not to have; unsquashfs knows."""
        return places.missing(Path(image.path), paths)

    def pull(self, ref: ImageRef, report: Callable[[str], None]) -> ImageInfo:
        """Resolve a name, fetch and flatten its image unless the store has it, and record the name.

        Of several that pull the same image at once, one fetches it and the others wait. ``report`` is told each step,
        and while one lasts, each second how far it is; what it raises ends the pull.

        Raises
        ------
        ImageError
            The image cannot be had or used; the store is as before.
        CommandMissing
            skopeo, umoci or mksquashfs is not installed.
        """
        if not ref.is_local and "@" in ref.text and (here := self.find(ref)) is not None:
            report(f"{ref.text} is here")
            return here
        report(f"resolving {ref.text}")
        source = Source(ref, self._plain_http(ref))
        resolved = fetch.resolve(source)
        with self._writing(), self._shelf.locked(resolved.digest, lambda: report(PullStep(WAITING))):
            found = self._info(resolved.digest, ref.text)
            if found is None:
                self._fetch(resolved, report)
                found = self._info(resolved.digest, ref.text)
            name = canonical(ref)
            self._shelf.write(Name(name, resolved.digest))
            if not ref.is_local:
                for digest in filter(None, (resolved.digest, resolved.index)):
                    also = f"{fetch.repository(ImageRef(name))}@{digest}"
                    if also != name:
                        self._shelf.write(Name(also, resolved.digest, follows=name))
        if found is None:
            raise ImageError(f"{ref.text} was removed while it was fetched", hint="pull it again")
        report(f"done: {found.digest}, {found.size_bytes / 1e6:.0f} MB")
        return found

    def search(self, text: str) -> tuple[tuple[str, ...], tuple[ImageError, ...]]:
        """Return references at the site's registries that hold a text; asks them all, at once.

        Behind them is an error for each registry that did not answer, which is its ``field``.
        """
        return search.search(text, self._policy)

    def check(self, ref: ImageRef) -> int:
        """Ask an image's registry whether it is there for this machine; return the bytes to fetch, 0 if unknown.

        Raises
        ------
        ImageError
            It is not there, or (then ``transient``) the registry does not answer.
        CommandMissing
            skopeo is not installed.
        """
        return fetch.resolve(Source(ref, self._plain_http(ref))).size_bytes

    def near(self, ref: ImageRef) -> tuple[str, ...]:
        """Return references at an image's registry that differ little from it."""
        return () if ref.is_local else search.near(canonical(ref), self._policy)

    def list(self) -> tuple[ImageInfo, ...]:
        """Return each name that was asked for with its image, newest image first. Raises ``ImageError``."""
        names = self._shelf.names()
        asked = {n.digest for n in names if not n.follows}
        shown = [n for n in names if not n.follows or (n.digest not in asked and n.name.endswith(n.digest))]
        found = [i for n in shown if (i := self._info(n.digest, n.name)) is not None]
        return tuple(sorted(found, key=lambda i: (-Path(i.path).stat().st_mtime_ns, i.reference)))

    def remove(self, ref: ImageRef) -> None:
        """Forget a name, and delete its image when no other that was asked for stands for it.

        Raises
        ------
        ImageError
            The store does not have this name.
        """
        known = self._shelf.name(canonical(ref))
        if known is None:
            raise ImageMissing(f"the image store does not have {ref.text}", hint="see: jupyter hpcctr images list")
        with self._writing(), self._shelf.locked(known.digest):
            self._shelf.forget(known.name)
            left = [n for n in self._shelf.names() if n.digest == known.digest]
            if all(n.follows for n in left):
                for name in left:
                    self._shelf.forget(name.name)
                self._shelf.delete(known.digest)

    def _info(self, digest: str, reference: str) -> ImageInfo | None:
        record = self._shelf.record(digest)
        return None if record is None else info(record, reference, self._shelf.image(digest))

    def _plain_http(self, ref: ImageRef) -> bool:
        host = canonical(ref).partition("/")[0]
        return not ref.is_local and bool({host, host.rpartition(":")[0]} & set(self._policy.insecure_registries))

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ImageError(
                f"the image store cannot be changed: {error}",
                hint=f"see that {self._policy.store} is your own, is there and has room",
            ) from error

    def _fetch(self, resolved: Resolved, report: Callable[[str], None]) -> None:
        progress = Meter(report, resolved.size_bytes, self._shelf.place / SPEEDS)
        target = self._shelf.image(resolved.digest)
        partial = target.with_name(f".{target.name}")
        with self._workplace(resolved.digest) as work:
            layout = work / "layout"
            # What is packed anew on the way has another size.
            progress.begin("fetching", 0 if resolved.zstd else resolved.size_bytes)
            config = fetch.copy(resolved, work, lambda _: progress.at(meter.written(layout)))
            progress.begin("unpacking", meter.written(layout))
            root = fetch.unpack(resolved, work, lambda pid: progress.at(meter.read_by(pid)))
            epoch = _seconds(config.created)
            rootfs.furnish(root, self._policy.mount_points, epoch=epoch)
            progress.begin("flattening", meter.written(root))
            partial.unlink(missing_ok=True)
            try:
                fetch.flatten(resolved, root, partial, lambda pid: progress.at(meter.read_by(pid)), epoch=epoch)
                record = Record(
                    digest=resolved.digest,
                    index=resolved.index,
                    reference=resolved.source.ref.text,
                    sha256=_sha256(partial),
                    size_bytes=partial.stat().st_size,
                    ipykernel=rootfs.ipykernel(root),
                    roots=rootfs.roots(root),
                    tools=fetch.versions(),
                    **{f.name: getattr(config, f.name) for f in dataclasses.fields(config)},
                )
                self._shelf.save(record, partial)
                progress.keep()
            finally:
                partial.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _workplace(self, digest: str) -> Iterator[Path]:
        """Give a private directory, local where TMPDIR is; what a killed pull left of it goes first.

        Others can foresee the name's beginning; what they put there is left alone.
        """
        store = hashlib.sha256(str(self._shelf.place.absolute()).encode()).hexdigest()
        prefix = f"hpcctr-{store[:8]}-{digest.removeprefix('sha256:')[:16]}-"
        for old in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
            with contextlib.suppress(OSError):
                rootfs.remove(old)
        work = Path(tempfile.mkdtemp(prefix=prefix))
        try:
            yield work
        finally:
            rootfs.remove(work)


def _seconds(created: str) -> int:
    """Return an RFC 3339 time as seconds since 1970, 0 where it is none; SquashFS counts to the year 2106."""
    try:
        return min(max(0, int(datetime.datetime.fromisoformat(created[:19] + "+00:00").timestamp())), 0xFFFFFFFF)
    except ValueError:
        return 0


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()
