"""Reads OCI image indexes, manifests and configs (image-spec 1.1); decides, and does no I/O."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import ImageError

Document = Mapping[str, object]

LIMIT_BYTES = 4 << 20
"""The distribution-spec's limit for a manifest."""

_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
# CPU flags that each x86-64 level adds, as Linux names them (System V ABI, "Micro-Architecture Levels").
_LEVELS = (
    {"cx16", "popcnt", "sse4_2", "ssse3"},
    {"avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"},
    {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
)


@dataclass(frozen=True, slots=True)
class Choice:
    """The manifest that an index offers this machine. ``variant`` is "" for the baseline."""

    digest: str
    variant: str
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Config:
    """What an image says of itself: manifest and config, read together.

    ``entrypoint`` is kept for the record; a kernel's launch does not run it.
    """

    annotations: Mapping[str, str]
    env: Mapping[str, str]
    created: str
    user: str
    workdir: str
    cmd: tuple[str, ...]
    entrypoint: tuple[str, ...]


def digest_of(text: str) -> str:
    """Return a document's digest as the image-spec writes it."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def read(text: str, digest: str | None = None) -> Document:
    """Parse a document, after its digest has been found right.

    Raises
    ------
    ImageError
        It is too large, has another digest, or is no JSON object.
    """
    if len(text) > LIMIT_BYTES:
        raise ImageError(f"a manifest of more than {LIMIT_BYTES >> 20} MiB", hint="ask the registry's administrator")
    if digest is not None and digest_of(text) != digest:
        raise ImageError(
            f"what came for {digest} has the digest {digest_of(text)}",
            hint="something between here and the registry changes what it sends",
        )
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ImageError(f"the image's manifest is not JSON: {error}", hint="is this address a registry?") from error
    if not isinstance(found, dict):
        raise ImageError("the image's manifest is not a JSON object", hint="is this address a registry?")
    return found


def is_index(document: Document) -> bool:
    """Whether a document offers manifests for several platforms rather than being one."""
    kind = document.get("mediaType")
    if isinstance(kind, str) and kind:
        return kind in _INDEXES
    return "manifests" in document


def choose(index: Document, architecture: str, level: int) -> Choice:
    """Choose the manifest for this machine: the baseline, else the highest variant that its CPU can run.

    Parameters
    ----------
    index : mapping
        The index; entries without a platform are artifacts, and passed over.
    architecture : str
        Go's name of the machine's architecture, as in the image-spec.
    level : int
        The CPU's x86-64 level, 1 to 4.

    Raises
    ------
    ImageError
        No entry fits.
    """
    offered: list[str] = []
    fitting: list[tuple[bool, int, int, str, Document]] = []
    for entry in _documents(index.get("manifests")):
        platform = document(entry.get("platform"))
        known = (platform.get("os"), platform.get("architecture"))
        variant = str(platform.get("variant") or "")
        if known == ("unknown", "unknown") or not platform:
            continue
        offered.append("/".join(str(p) for p in (*known, variant) if p))
        rank = _rank(variant, architecture)
        if known == ("linux", architecture) and rank <= level:
            fitting.append((rank > 1, -rank, len(fitting), variant, entry))
    if not fitting:
        others = ", ".join(offered) or "nothing"
        raise ImageError(
            f"the image is not made for linux/{architecture} (level v{level}), but for {others}",
            hint="ask its maker to build it for this machine, or choose another image",
        )
    *_, variant, best = min(fitting, key=lambda f: f[:3])
    return Choice(str(best.get("digest")), variant, texts(best.get("annotations")))


def level_of(cpuinfo: str) -> int:
    """Return the x86-64 level, 1 to 4, of the CPU that a text like /proc/cpuinfo describes."""
    line = next((part for part in cpuinfo.splitlines() if part.startswith("flags")), "")
    flags, level = set(line.partition(":")[2].split()), 1
    for wanted in _LEVELS:
        if not wanted <= flags:
            break
        level += 1
    return level


def layers(manifest: Document) -> tuple[int, bool]:
    """Return the layers' packed size in bytes, and whether one of them is packed with zstd."""
    found = _documents(manifest.get("layers"))
    sizes = [size for each in found if isinstance(size := each.get("size"), int)]
    return sum(sizes), any("zstd" in str(each.get("mediaType")) for each in found)


def config_of(manifest: Document, config: Document, above: Mapping[str, str]) -> Config:
    """Read manifest and config; annotations of the index entry win over the manifest's, these over labels."""
    inner = document(config.get("config"))
    annotations = {**texts(inner.get("Labels")), **texts(manifest.get("annotations")), **above}
    pairs = [word.partition("=") for word in _words(inner.get("Env")) if "=" in word]
    return Config(
        annotations=annotations,
        env={name: value for name, _, value in pairs},
        created=str(config.get("created") or annotations.get("org.opencontainers.image.created", "")),
        user=str(inner.get("User") or ""),
        workdir=str(inner.get("WorkingDir") or ""),
        cmd=_words(inner.get("Cmd")),
        entrypoint=_words(inner.get("Entrypoint")),
    )


def check_platform(config: Document, architecture: str) -> None:
    """Refuse a config that says another platform than Linux on this architecture; one that says nothing may pass.

    Raises
    ------
    ImageError
        The image's programs would not run here, whatever its index says.
    """
    said = (str(config.get("os") or "linux"), str(config.get("architecture") or architecture))
    if said != ("linux", architecture):
        raise ImageError(
            f"the image's config says that it is made for {'/'.join(said)}, and this machine is linux/{architecture}",
            hint="ask its maker to build it for this machine, or choose another image",
        )


def texts(value: object) -> dict[str, str]:
    """Return the texts of a mapping by name, and nothing of anything else."""
    return {n: t for n, t in document(value).items() if isinstance(t, str)}


def _rank(variant: str, architecture: str) -> int:
    """Return a variant's level; 1 for the baselines, 9 for what is not known."""
    if variant in ("", "v1") or (architecture, variant) == ("arm64", "v8"):
        return 1
    return int(variant[1]) if architecture == "amd64" and variant in ("v2", "v3", "v4") else 9


def document(value: object) -> Document:
    """Return a value that is a JSON object, and an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def _documents(value: object) -> list[Document]:
    return [v for v in value if isinstance(v, Mapping)] if isinstance(value, list) else []


def _words(value: object) -> tuple[str, ...]:
    return tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else ()
