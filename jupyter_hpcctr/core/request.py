"""What is asked for: a kernel's image and resources, from a kernelspec, a form or a command line.

Everything here is untrusted. It is parsed into frozen values or refused with a sentence that names
the field. What the site allows is another matter (``facts.Policy``) and another type.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import RequestError

# OCI distribution-spec 1.1, "Pulling manifests": name, tag and digest grammars; the host part as
# in the reference grammar of distribution/reference.
_NAME = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?:{_HOST}/)?{_NAME}(?:/{_NAME})*(?::[A-Za-z0-9_][A-Za-z0-9._-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?"
)
_LOCAL = re.compile(r"(?:oci|oci-archive|docker-archive):[^\0\n]+")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# sbatch(1) --constraint may begin with a bracket: "[rack1|rack2]", "(a&b)|c".
_WORD = re.compile(r"[A-Za-z0-9_.(\[][A-Za-z0-9_.,:@+|&*()\[\]=%/-]*")
_MEMORY = re.compile(r"([0-9]+)([KMGT]?)B?", re.IGNORECASE)
# sbatch(1) --time: minutes, minutes:seconds, hours:minutes:seconds, days-hours[:minutes[:seconds]]
_TIME = re.compile(
    r"(?:(?P<days>[0-9]+)-(?P<dh>[0-9]+)(?::(?P<dm>[0-9]+))?(?::(?P<ds>[0-9]+))?|(?P<hms>[0-9]+(?::[0-9]+){0,2}))"
)
_UNITS_MB = {"K": 1 / 1024, "": 1, "M": 1, "G": 1024, "T": 1024 * 1024}


@dataclass(frozen=True, slots=True)
class ImageRef:
    """The name of an image: an OCI reference, or skopeo's ``oci:``, ``oci-archive:``, ``docker-archive:``."""

    text: str

    def __post_init__(self) -> None:
        if not (_REFERENCE.fullmatch(self.text) or _LOCAL.fullmatch(self.text)):
            raise RequestError(
                f"{self.text!r} is not an image reference",
                hint="write it as registry.example.org/name:tag, name@sha256:…, or oci:DIRECTORY:TAG",
                field="image",
            )

    @property
    def is_local(self) -> bool:
        """Whether it names files rather than a registry's repository."""
        return _LOCAL.fullmatch(self.text) is not None


@dataclass(frozen=True, slots=True)
class Mount:
    """A directory of the host that is to be seen in the container."""

    source: str
    target: str
    read_only: bool = False

    def __post_init__(self) -> None:
        for path in (self.source, self.target):
            if not path.startswith("/") or "\0" in path or "/../" in f"{path}/":
                raise RequestError(
                    f"mount {path!r} is not an absolute path without '..'", hint="write it out whole", field="mounts"
                )


@dataclass(frozen=True, slots=True)
class Resources:
    """What the job needs; the names are sbatch(1)'s long options.

    ``mem_mb`` is per node in MiB, ``time_minutes`` the wall time limit in minutes, ``gpus_per_node``
    a count with an optional type before it (``a100:2``). None leaves the choice to the site.
    """

    nodes: int = 1
    ntasks: int | None = None
    ntasks_per_node: int | None = None
    cpus_per_task: int | None = None
    mem_mb: int | None = None
    gpus_per_node: int = 0
    gpu_type: str | None = None
    time_minutes: int | None = None
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    reservation: str | None = None


@dataclass(frozen=True, slots=True)
class KernelRequest:
    """A whole request for one kernel."""

    image: ImageRef | None = None
    engine: str | None = None
    scheduler: str | None = None
    resources: Resources = Resources()
    mounts: tuple[Mount, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    argv: tuple[str, ...] = ()
    """The kernel's own command with ``{connection_file}`` in it; empty for ipykernel of the image's Python."""
    python: str = "python3"


def parse(raw: Mapping[str, object]) -> KernelRequest:
    """Turn a mapping (a kernelspec's ``config["request"]``) into a request.

    Raises
    ------
    RequestError
        An unknown key, a value of the wrong type or out of range; the message names it.
    """
    names = {f.name for f in dataclasses.fields(Resources)} | {"time", "mem"}
    known = {"image", "engine", "scheduler", "mounts", "env", "argv", "python"}
    plain = {str(k).replace("-", "_"): v for k, v in raw.items()}
    unknown = sorted(set(plain) - names - known)
    if unknown:
        hint = "known: " + ", ".join(sorted(names | known))
        raise RequestError(f"unknown request field {unknown[0]!r}", hint=hint, field=unknown[0])
    image = _optional_text(plain, "image")
    return KernelRequest(
        image=None if image is None else ImageRef(image),
        engine=_optional_word(plain, "engine"),
        scheduler=_optional_word(plain, "scheduler"),
        resources=_resources(plain),
        mounts=tuple(parse_mount(m) for m in _sequence(plain, "mounts")),
        env=_environment(plain.get("env", {})),
        argv=tuple(_sequence(plain, "argv")),
        python=_optional_text(plain, "python") or "python3",
    )


def to_dict(request: KernelRequest) -> dict[str, object]:
    """Return the mapping that ``parse`` reads back as the same request; nothing that is at its default."""
    optional: dict[str, object] = {
        "image": None if request.image is None else request.image.text,
        "engine": request.engine,
        "scheduler": request.scheduler,
        "mounts": [f"{m.source}:{m.target}{':ro' if m.read_only else ''}" for m in request.mounts],
        "env": dict(request.env),
        "argv": list(request.argv),
        "python": request.python if request.python != "python3" else None,
    }
    defaults = {each.name: each.default for each in dataclasses.fields(Resources)}
    resources = {n: v for n in defaults if (v := getattr(request.resources, n)) != defaults[n]}
    return {name: value for name, value in optional.items() if value} | resources


def parse_mount(text: str) -> Mount:
    """Read ``SOURCE[:TARGET[:ro|rw]]``.

    Raises
    ------
    RequestError
        Too many parts, or a path that is not absolute.
    """
    source, _, rest = text.partition(":")
    target, _, mode = rest.partition(":")
    if mode not in ("", "ro", "rw"):
        raise RequestError(
            f"mount {text!r} is not SOURCE[:TARGET[:ro|rw]]",
            hint="a path with a colon cannot be mounted",
            field="mounts",
        )
    return Mount(source, target or source, mode == "ro")


def minutes(value: object) -> int:
    """Read a time limit as sbatch(1) ``--time`` writes it, in whole minutes, rounded up.

    Raises
    ------
    RequestError
        It is none of Slurm's forms, or not above zero.
    """
    found = _TIME.fullmatch(str(value).strip())
    if found is None or isinstance(value, bool):
        hint = "write minutes, HH:MM:SS or D-HH:MM:SS"
        raise RequestError(f"time {value!r} is not a time limit", hint=hint, field="time")
    if found["hms"]:
        parts = [int(p) for p in found["hms"].split(":")]
        seconds = parts[0] * 60 if len(parts) == 1 else sum(p * 60**i for i, p in enumerate(reversed(parts)))
    else:
        seconds = sum(int(found[g] or 0) * f for g, f in (("days", 86400), ("dh", 3600), ("dm", 60), ("ds", 1)))
    if seconds <= 0:
        hint = "leave it out for the site's default"
        raise RequestError("the time limit must be above zero", hint=hint, field="time")
    return -(-seconds // 60)


def megabytes(value: object) -> int:
    """Read an amount of memory as sbatch(1) ``--mem`` writes it, in MiB.

    Raises
    ------
    RequestError
        It is not a number with K, M, G or T, or less than 1 MiB.
    """
    found = _MEMORY.fullmatch(str(value).strip())
    amount = 0 if found is None else int(int(found[1]) * _UNITS_MB[found[2].upper()])
    if amount < 1:
        raise RequestError(f"memory {value!r} is not an amount", hint="write 4G, 4000M or 4000", field="mem")
    return amount


def _resources(plain: Mapping[str, object]) -> Resources:
    gpus, gpu_type = _gpus(plain.get("gpus_per_node", 0))
    time = plain.get("time", plain.get("time_minutes"))
    mem = plain.get("mem", plain.get("mem_mb"))
    return Resources(
        nodes=_count(plain, "nodes") or 1,
        ntasks=_count(plain, "ntasks"),
        ntasks_per_node=_count(plain, "ntasks_per_node"),
        cpus_per_task=_count(plain, "cpus_per_task"),
        mem_mb=None if mem is None else megabytes(mem),
        gpus_per_node=gpus,
        gpu_type=gpu_type or _optional_word(plain, "gpu_type"),
        time_minutes=None if time is None else minutes(time),
        partition=_optional_word(plain, "partition"),
        account=_optional_word(plain, "account"),
        qos=_optional_word(plain, "qos"),
        constraint=_optional_word(plain, "constraint"),
        reservation=_optional_word(plain, "reservation"),
    )


def _gpus(value: object) -> tuple[int, str | None]:
    kind, _, count = str(value).rpartition(":")
    if not count.isdecimal() or isinstance(value, bool) or (kind and not _WORD.fullmatch(kind)):
        hint = "write 2, or a type and a count: a100:2"
        raise RequestError(f"gpus_per_node {value!r} is not a count", hint=hint, field="gpus_per_node")
    return int(count), kind or None


def _count(plain: Mapping[str, object], name: str) -> int | None:
    value = plain.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not str(value).isdecimal() or int(str(value)) < 1:
        raise RequestError(f"{name} must be a whole number above zero, not {value!r}", field=name)
    return int(str(value))


def _optional_text(plain: Mapping[str, object], name: str) -> str | None:
    value = plain.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value or "\0" in value or "\n" in value:
        raise RequestError(f"{name} must be a line of text, not {value!r}", field=name)
    return value


def _optional_word(plain: Mapping[str, object], name: str) -> str | None:
    value = _optional_text(plain, name)
    if value is not None and not _WORD.fullmatch(value):
        hint = "letters, digits and _.,:@+|&*()[]=%/- only"
        raise RequestError(f"{name} {value!r} is not a name", hint=hint, field=name)
    return value


def _sequence(plain: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = plain.get(name, ())
    if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) and "\0" not in v for v in value):
        raise RequestError(f"{name} must be a list of texts, not {value!r}", field=name)
    return tuple(value)


def _environment(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise RequestError(f"env must be a mapping of texts, not {value!r}", field="env")
    for name, text in value.items():
        if not isinstance(name, str) or not _ENV_NAME.fullmatch(name):
            raise RequestError(f"{name!r} is not the name of an environment variable", field="env")
        if not isinstance(text, str) or "\n" in text or "\0" in text:
            raise RequestError(f"environment variable {name} must be one line of text", field="env")
    return dict(value)
