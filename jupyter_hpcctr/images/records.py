"""The store's files on disk: what is written beside each image, and which name stands for which.

::

    STORE/sha256/HEX.sqfs    a flattened image, 0444, by its manifest's digest
    STORE/sha256/HEX.json    what is known of it; an image without it is not there
    STORE/refs/NAME.json     a name, and the digest that it stands for
    STORE/locks/HEX          held while that image is fetched or deleted
    STORE/speeds.json        how long each step of the last pull took, for estimates

Nothing is believed that somebody else than the user or root could have written.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..core.facts import ImageInfo
from ..core.request import ImageRef
from ..edge import files
from ..errors import ImageError


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
    """The directory of a store. Reading makes nothing; writing makes the directories."""

    def __init__(self, place: Path) -> None:
        self.place = place

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
        _trusted(self.place / "sha256", self.place / "refs")
        with files.locked(self.place / "locks" / _hex(digest), waiting):
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
        size = _trusted(self.image(digest))
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
            _trusted(path.parent, path)
            return path.read_text()
        except FileNotFoundError:
            return None


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
    )


def _name(text: str) -> Name:
    try:
        return Name(**json.loads(text))
    except (ValueError, TypeError) as error:
        raise ImageError(f"a name in the image store is damaged: {error}", hint="pull the image again") from error


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _trusted(*paths: Path) -> int:
    """Return the last path's size, once none of them can have been written by somebody else."""
    size = 0
    for path in paths:
        found = path.lstat()
        shared = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
        if found.st_uid not in (os.getuid(), 0) or (found.st_mode & 0o022 and not shared) or path.is_symlink():
            raise ImageError(
                f"{path} belongs to somebody else, is a link, or can be written by others",
                hint="have its owner or administrator look at it; then remove it and pull the image again",
            )
        size = found.st_size
    return size


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
