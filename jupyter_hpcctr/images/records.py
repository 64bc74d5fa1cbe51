"""The store's files on disk: what is written beside each image, and which name stands for which.

::

    STORE/sha256/HEX.sqfs    a flattened image, 0444, by its manifest's digest
    STORE/sha256/HEX.json    what is known of it; an image without it is not there
    STORE/refs/NAME.json     a name, and the digest that it stands for
    STORE/locks/HEX          held while that image is fetched or deleted
    STORE/speeds.json        how long each step of the last pull took, for estimates

Nothing is believed that somebody else than the user, root and those whom the site trusts could have written.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import time
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..core.facts import ImageInfo
from ..core.request import ImageRef
from ..edge import files, locks
from ..errors import ImageError, UnsafePath

_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Record:
    """The sidecar of an image. ``sha256`` and ``size_bytes`` are those of the SquashFS file."""

    digest: str
    index: str
    reference: str
    sha256: str
    size_bytes: int
    created: str
    ipykernel: str | None
    user: str = ""
    workdir: str = ""
    cmd: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    annotations: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    roots: dict[str, bool] = field(default_factory=dict)
    tools: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Name:
    """A name and what it stands for; ``follows`` is the name that it was recorded along with."""

    name: str
    digest: str
    follows: str = ""


def canonical(ref: ImageRef) -> str:
    """Return a reference written out: with its registry, and its digest or else its tag."""
    if ref.is_local:
        transport, _, path = ref.text.partition(":")
        return f"{transport}:{Path(path).absolute()}"
    name, at, digest = ref.text.partition("@")
    host, slash, rest = name.partition("/")
    if not slash or not ({".", ":"} & set(host) or host == "localhost"):
        host, rest = "docker.io", name if slash else f"library/{name}"
    head, slash, last = rest.rpartition("/")
    bare, _, tag = last.partition(":")
    return f"{host}/{head}{slash}{bare}" + (f"@{digest}" if at else f":{tag or 'latest'}")


class Shelf:
    """The directory of a store. Reading makes nothing; writing makes the directories.

    ``owners`` are trusted besides the user and root: names of users, and of groups behind an ``@``.
    """

    def __init__(self, place: Path, owners: Iterable[str] = ()) -> None:
        self.place, self._owners = place, tuple(owners)
        self._trust, self._looked = files.Trust(frozenset()), -_LOOK_S

    def image(self, digest: str) -> Path:
        """Path of an image's SquashFS file."""
        return self.place / "sha256" / f"{_hex(digest)}.sqfs"

    @contextlib.contextmanager
    def locked(self, digest: str, waiting: Callable[[], None] | None = None) -> Iterator[None]:
        """Hold an image's lock: nobody else fetches or deletes it meanwhile.

        ``waiting`` is called each second while somebody else holds it; what it raises is raised.
        """
        self.place.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in ("sha256", "refs", "locks"):
            with contextlib.suppress(FileExistsError):
                (self.place / name).mkdir(mode=0o755)
        self._look(self.place / "sha256", self.place / "refs")
        with locks.locked(self.place / "locks" / _hex(digest), waiting):
            yield

    def record(self, digest: str) -> Record | None:
        """Return what is known of an image, None where it is not there. Raises ``ImageError``."""
        path = self.image(digest).with_suffix(".json")
        text = self._read(path)
        if text is None:
            return None
        try:
            raw = json.loads(text)
            found = Record(**{**raw, "cmd": tuple(raw["cmd"]), "entrypoint": tuple(raw["entrypoint"])})
        except (ValueError, TypeError, KeyError) as error:
            raise ImageError(f"{path} is damaged: {error}", hint="remove it and pull the image again") from error
        try:
            size = self._look(self.image(digest))
        except FileNotFoundError:
            return None
        if found.digest != digest or found.size_bytes != size:
            raise ImageError(f"{self.image(digest)} is not what was put there", hint="remove it and pull it again")
        return found

    def save(self, record: Record, image: Path) -> None:
        """Take over a finished SquashFS file, then write its record: in this order, each at once."""
        target = self.image(record.digest)
        image.chmod(0o444)
        for path in (image, image.parent):
            _sync(path)
        image.replace(target)
        _sync(target.parent)
        files.write_public(target.with_suffix(".json"), json.dumps(asdict(record), indent=1, sort_keys=True) + "\n")

    def delete(self, digest: str) -> None:
        """Delete an image; who has it mounted keeps it until it is unmounted."""
        self.image(digest).with_suffix(".json").unlink(missing_ok=True)
        self.image(digest).unlink(missing_ok=True)

    def name(self, name: str) -> Name | None:
        """Return what a canonical name stands for. Raises ``ImageError``."""
        text = self._read(self._name_path(name))
        return None if text is None else _name(text)

    def names(self) -> tuple[Name, ...]:
        """Return all names, in order. Raises ``ImageError``."""
        texts = (self._read(path) for path in sorted(self.place.glob("refs/*.json")))
        return tuple(_name(text) for text in texts if text is not None)

    def write(self, name: Name) -> None:
        """Record what a name stands for; a name that was asked for never becomes one that follows another."""
        known = self.name(name.name)
        if known is None or known.digest != name.digest or (known.follows and known != name):
            files.write_public(self._name_path(name.name), json.dumps(asdict(name), sort_keys=True) + "\n")

    def forget(self, name: str) -> None:
        """Forget a name; it is no error when it is not there."""
        self._name_path(name).unlink(missing_ok=True)

    def _name_path(self, name: str) -> Path:
        quoted = urllib.parse.quote(name, safe=":@+=,")
        if len(quoted) > 200:
            quoted = f"{quoted[:120]}~{hashlib.sha256(name.encode()).hexdigest()}"
        return self.place / "refs" / f"{quoted}.json"

    def _read(self, path: Path) -> str | None:
        try:
            self._look(path.parent, path)
            return path.read_text()
        except FileNotFoundError:
            return None

    def _look(self, *paths: Path) -> int:
        """Return the last path's size, once none can have been written or replaced by somebody else.

        The way to the store is looked at again after a second: a form asks for many images at once.
        """
        if time.monotonic() - self._looked > _LOOK_S:
            self._look_at_way()
        size = 0
        for path in paths:
            found = path.lstat()
            fault = f"{path} is a link" if stat.S_ISLNK(found.st_mode) else self._trust.fault(path, found)
            if fault:
                raise ImageError(
                    f"{fault}: it may be another image than the one that was pulled",
                    hint="have its owner or administrator look at it; then remove it and pull the image again",
                )
            size = found.st_size
        return size

    def _look_at_way(self) -> None:
        try:
            self._trust = files.Trust.of(self._owners)
            files.check_way(self.place, self._trust)
        except UnsafePath as error:
            raise ImageError(
                f"somebody else could replace the images in {self.place}: {error.message}",
                hint=f"{error.hint}; an administrator can name those who are trusted in HpcctrSite.store_owners",
            ) from error
        self._looked = time.monotonic()


def info(record: Record, reference: str, path: Path) -> ImageInfo:
    """Return a record as the seam's value, under the name by which it was asked for."""
    return ImageInfo(
        reference=reference,
        digest=record.digest,
        path=str(path),
        kind="squashfs",
        size_bytes=record.size_bytes,
        created=record.created,
        annotations=record.annotations,
        env=record.env,
        roots=record.roots,
        ipykernel=record.ipykernel,
        owner=path.lstat().st_uid,
    )


def _name(text: str) -> Name:
    try:
        return Name(**json.loads(text))
    except (ValueError, TypeError) as error:
        raise ImageError(f"a name in the image store is damaged: {error}", hint="pull the image again") from error


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
