"""From a registry to one SquashFS file: skopeo fetches, umoci unpacks, mksquashfs flattens; no root."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..core.job import Command
from ..core.request import ImageRef
from ..edge import process
from ..errors import CommandError, CommandMissing, ImageError
from . import manifest
from .manifest import Config, Document

_PACKAGES = {"skopeo": "skopeo", "umoci": "umoci", "mksquashfs": "squashfs-tools"}
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "ppc64le": "ppc64le", "riscv64": "riscv64", "s390x": "s390x"}
_HOUR_S = 3600.0
_PATIENCE_S = 90.0  # a registry that says 429 is asked again by skopeo for 62 s
_ASK, _COPY, _UNPACK = ("inspect",), ("copy",), ("umoci",)
_SKOPEO = (*_ASK, *_COPY)

Look = Callable[[int], None]
"""Called each second with the process id of the tool that works; what it raises ends the tool."""


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What it means when one of ``steps`` (all without) says a pattern, in lower case, and what to do."""

    patterns: str
    meaning: str
    hint: str
    steps: tuple[str, ...] = ()
    transient: bool = False


# The first that is found counts.
_MEANINGS = (
    _Meaning("no space left on device|disk quota exceeded", "there is no room for it",
             "free some in {tmp} and in the image store, or set TMPDIR"),
    _Meaning("source image rejected|policy.json", "there is no signature policy, or it does not allow this image",
             "see containers-policy.json(5)", _SKOPEO),
    _Meaning("toomanyrequests|too many requests|status code from registry 429|statuscode: 429",
             "the registry takes no more requests from here for now",
             "try again later; with a login (skopeo login REGISTRY) many allow more", _SKOPEO, transient=True),
    _Meaning("blobs/sha256/[0-9a-f]+: no such file|blob unknown|fetching blob:.* 404",
             "the image is not whole: its manifest names a layer or config that is not there",
             "push it again, or ask its maker to", _SKOPEO),
    _Meaning("manifest unknown|name unknown|no descriptor found|no image found in|file not found in index"
             "|repository name not known", "there is no such image", "check its name and tag", _SKOPEO),
    _Meaning("no such file or directory", "there is no such image", "check its name and tag", _ASK),
    _Meaning("no such file or directory",
             "one of its layers has a link to a file that is not there", "ask its maker to build it again", _UNPACK),
    _Meaning("file name too long", "it has a path that is longer than this system's limit",
             "ask its maker to nest fewer directories"),
    _Meaning("server gave http response to https client", "the registry speaks plain http only",
             "an administrator can name its host in HpcctrSite.insecure_registries", _SKOPEO),
    _Meaning("unauthorized|authentication required|access to the resource is denied|forbidden|statuscode: 40[13]"
             r"|: denied\b", "the registry wants a login, or does not let you have this image",
             "skopeo login REGISTRY", _SKOPEO),
    _Meaning("status code from registry 5[0-9][0-9]|http status: 5[0-9][0-9]|statuscode: 5[0-9][0-9]|bad gateway"
             "|service unavailable|gateway timeout|internal server error", "the registry has a fault of its own",
             "try again later, or tell its administrator", _SKOPEO, transient=True),
    _Meaning("connection refused|no such host|i/o timeout|network is unreachable|no route to host|connection reset"
             "|did not answer|unexpected eof", "the registry does not answer",
             "check the name of its host, or try again later", _SKOPEO, transient=True),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """Where an image comes from, in skopeo's words (containers-transports(5))."""

    ref: ImageRef
    plain_http: bool

    @property
    def words(self) -> str:
        """The reference as skopeo wants it."""
        return self.ref.text if self.ref.is_local else f"docker://{self.ref.text}"

    def at(self, digest: str) -> Source:
        """Return the same repository's manifest of this digest; local references have no digests."""
        return self if self.ref.is_local else Source(ImageRef(f"{repository(self.ref)}@{digest}"), self.plain_http)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A name resolved to one manifest. ``index`` is its index's digest, "" where there is none."""

    source: Source
    digest: str
    index: str
    variant: str
    annotations: Mapping[str, str]
    size_bytes: int
    zstd: bool


def repository(ref: ImageRef) -> str:
    """Return a reference's part before tag and digest."""
    name = ref.text.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


def resolve(source: Source) -> Resolved:
    """Ask what a name stands for now, for this machine.

    Raises
    ------
    ImageError
        The registry does not answer or does not know the name, or nothing fits this machine.
    """
    wanted = source.ref.text.rpartition("@")[2] if "@" in source.ref.text and not source.ref.is_local else None
    text = _inspect(source)
    found = manifest.read(text, wanted)
    if not manifest.is_index(found):
        size, zstd = manifest.layers(found)
        return Resolved(source, manifest.digest_of(text), "", "", {}, size, zstd)
    choice = manifest.choose(found, architecture(), _level())
    size, zstd = 0, False
    if not source.ref.is_local:
        inner = manifest.read(_inspect(source.at(choice.digest)), choice.digest)
        size, zstd = manifest.layers(inner)
    index = manifest.digest_of(text)
    return Resolved(source, choice.digest, index, choice.variant, choice.annotations, size, zstd)


def copy(resolved: Resolved, work: Path, look: Look) -> Config:
    """Copy an image to an OCI layout below ``work``; skopeo checks the digests of manifest and blobs.

    Raises
    ------
    ImageError
        It could not be fetched, or is made for another machine than its manifest says.
    """
    source, layout = resolved.source.at(resolved.digest), work / "layout"
    before = ["--override-os", "linux", "--override-arch", architecture()]
    before += ["--override-variant", resolved.variant] if resolved.variant else []
    after = ["--src-tls-verify=false"] if source.plain_http else []
    # umoci reads gzip alone. Only what is known to be otherwise is packed anew.
    after += ["--dest-compress-format", "gzip"] if resolved.zstd or source.ref.is_local else []
    words = ("skopeo", *before, "copy", "--quiet", "--retry-times", "3", *after, source.words, f"oci:{layout}:image")
    _tool(words, resolved.source, work, timeout_s=_HOUR_S, look=look)
    (named,) = json.loads((layout / "index.json").read_text())["manifests"]
    found = _blob(layout, named)
    config = _blob(layout, manifest.document(found.get("config")))
    manifest.check_platform(config, architecture())
    return manifest.config_of(found, config, resolved.annotations)


def unpack(resolved: Resolved, work: Path, look: Look) -> Path:
    """Unpack the layout's layers, and return the root directory. Raises ``ImageError``."""
    root = work / "root"
    words = ("umoci", "raw", "unpack", "--rootless", "--image", f"{work / 'layout'}:image", str(root))
    _tool(words, resolved.source, work, timeout_s=_HOUR_S, look=look)
    return root


def flatten(resolved: Resolved, root: Path, target: Path, look: Look, *, epoch: int) -> None:
    """Make one SquashFS of a directory; the same directory and epoch give the same bytes.

    Files keep their times, which ordinary .pyc files are checked against. Raises ``ImageError``.
    """
    words = ("mksquashfs", str(root), str(target), "-comp", "zstd", "-Xcompression-level", "3", "-noappend",
             "-all-root", "-no-xattrs", "-no-progress", "-quiet", "-mkfs-time", str(epoch))  # fmt: skip
    _tool(words, resolved.source, target.parent, timeout_s=_HOUR_S, look=look)


def versions() -> dict[str, str]:
    """Return what each tool says of its version, for the record."""
    asked = {"skopeo": "--version", "umoci": "--version", "mksquashfs": "-version"}
    said = {name: process.run(Command((name, option))).stdout for name, option in asked.items()}
    return {name: text.partition("\n")[0].strip() for name, text in said.items()}


def architecture() -> str:
    """Return this machine's architecture as the image-spec names it."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def _level() -> int:
    return manifest.level_of(Path("/proc/cpuinfo").read_text(errors="replace"))


def _inspect(source: Source) -> str:
    after = ("--tls-verify=false",) if source.plain_http else ()
    return _tool(("skopeo", "inspect", "--raw", *after, source.words), source, None, timeout_s=_PATIENCE_S)


def _blob(layout: Path, descriptor: Document) -> Document:
    digest = str(descriptor["digest"])
    return manifest.read((layout / "blobs" / digest.replace(":", "/", 1)).read_text(), digest)


def _tool(
    words: tuple[str, ...], source: Source, work: Path | None, *, timeout_s: float, look: Look | None = None
) -> str:
    """Run one of the three tools, and say in the user's words what went wrong."""
    env = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    env |= {} if work is None else {"TMPDIR": str(work)}
    try:
        return process.check(Command(words), env=env, timeout_s=timeout_s, mortal=True, look=look)
    except CommandMissing as error:
        package = _PACKAGES[words[0]]
        hint = f"on Debian and Ubuntu: apt install {package}"
        raise CommandMissing(f"{words[0]} is not installed, which images need", hint=hint) from error
    except CommandError as error:
        raise _explain(error, source, words, work) from error


def _explain(error: CommandError, source: Source, words: tuple[str, ...], work: Path | None) -> ImageError:
    said = f"{error.stderr} {error.message}".lower()
    step = next((word for word in words if word in _SKOPEO), words[0])
    for each in _MEANINGS:
        if (not each.steps or step in each.steps) and re.search(each.patterns, said):
            told = ImageError(f"{source.ref.text}: {each.meaning}", hint=each.hint.format(tmp=work or "TMPDIR"))
            told.transient = each.transient
            return told
    return ImageError(f"{source.ref.text}: {error.message}", hint="the last lines say why")
