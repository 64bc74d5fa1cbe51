"""What is asked for: a kernel's image and resources, from a kernelspec, a form or a command line.

Everything here is untrusted. It is parsed into frozen values or refused with a sentence that names the field; how
values are written is in ``grammar``. What the site allows is another matter (``facts.Policy``) and another type.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import RequestError
from ..protocol.container import Mount
from . import grammar
from .amounts import megabytes, minutes, short, written


@dataclass(frozen=True, slots=True)
class ImageRef:
    """The name of an image: an OCI reference, or skopeo's ``oci:``, ``oci-archive:``, ``docker-archive:``."""

    text: str

    def __post_init__(self) -> None:
        if not grammar.fits(grammar.REFERENCE, self.text):
            raise RequestError(
                f"{self.text!r} is not an image reference",
                hint="write it as registry.example.org/name:tag, name@sha256:…, or oci:DIRECTORY:TAG",
                field="image",
            )

    @property
    def is_local(self) -> bool:
        """Whether it names files rather than a registry's repository."""
        return grammar.fits(grammar.LOCAL, self.text)


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
    devices: tuple[str, ...] = ()
    """Names by the Container Device Interface, beside the GPUs that ``resources`` ask for."""
    env: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    """What the hooks of a container engine are told (OCI runtime-spec, "Annotations")."""
    workdir: str | None = None
    """Where the kernel starts, as the container sees it; None for its notebook's directory."""
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
    known = {"image", "engine", "scheduler", "mounts", "devices", "env", "annotations", "workdir", "argv", "python"}
    plain = {str(k).replace("-", "_"): v for k, v in raw.items()}
    unknown = sorted(set(plain) - names - known)
    if unknown:
        hint = "known: " + ", ".join(sorted(names | known))
        raise RequestError(f"unknown request field {unknown[0]!r}", hint=hint, field=unknown[0])
    image = _optional_text(plain, "image", sys.maxsize)
    return KernelRequest(
        image=None if image is None else ImageRef(image),
        engine=_optional_word(plain, "engine"),
        scheduler=_optional_word(plain, "scheduler"),
        resources=_resources(plain),
        mounts=tuple(parse_mount(m) for m in _sequence(plain, "mounts", grammar.MOST_MOUNTS)),
        devices=_sequence(plain, "devices", grammar.MOST_MOUNTS, grammar.DEVICE, "of devices like nvidia.com/gpu=0"),
        env=_environment(plain.get("env")),
        annotations=_annotations(plain.get("annotations")),
        workdir=_workdir(plain.get("workdir")),
        argv=tuple(_sequence(plain, "argv", grammar.MOST_WORDS)),
        python=_optional_text(plain, "python", grammar.LONGEST_PATH) or "python3",
    )


def to_dict(request: KernelRequest) -> dict[str, object]:
    """Return the mapping that ``parse`` reads back as the same request; nothing that is at its default."""
    optional: dict[str, object] = {
        "image": None if request.image is None else request.image.text,
        "engine": request.engine,
        "scheduler": request.scheduler,
        "mounts": [f"{m.source}:{m.target}{':ro' if m.read_only else ''}" for m in request.mounts],
        "devices": list(request.devices),
        "env": dict(request.env),
        "annotations": dict(request.annotations),
        "workdir": request.workdir,
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
    return mount(source, target or source, read_only=mode == "ro")


def mount(source: str, target: str, *, read_only: bool = False) -> Mount:
    """Return what is to be mounted.

    Raises
    ------
    RequestError
        A path is not absolute, or has ``..`` in it.
    """
    for path in (source, target):
        if not path.startswith("/") or "\0" in path or "/../" in f"{path}/":
            raise RequestError(
                f"mount {path!r} is not an absolute path without '..'", hint="write it out whole", field="mounts"
            )
    return Mount(source, target, read_only)


def _resources(plain: Mapping[str, object]) -> Resources:
    gpus, gpu_type = _gpus(plain.get("gpus_per_node"))
    if gpu_type is not None:
        _not_both(plain, "gpus_per_node", "gpu_type")
    time, mem = _either(plain, "time", "time_minutes"), _either(plain, "mem", "mem_mb")
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


def _either(plain: Mapping[str, object], name: str, other: str) -> object:
    _not_both(plain, name, other)
    return plain.get(other) if plain.get(name) is None else plain.get(name)


def _not_both(plain: Mapping[str, object], name: str, other: str) -> None:
    if plain.get(name) is not None and plain.get(other) is not None:
        raise RequestError(f"{name} and {other} say the same thing twice", hint=f"leave {other} out", field=name)


def _gpus(value: object) -> tuple[int, str | None]:
    text = "0" if value is None else written(value)
    if text is None or not grammar.fits(grammar.GPUS, text):
        hint = "write 2, or a type and a count: a100:2"
        raise RequestError(f"gpus_per_node {short(value)} is not a count", hint=hint, field="gpus_per_node")
    kind, _, count = text.rpartition(":")
    return int(count), kind or None


def _count(plain: Mapping[str, object], name: str) -> int | None:
    value = plain.get(name)
    if value is None:
        return None
    text = written(value)
    if text is None or not grammar.fits(grammar.COUNT, text):
        hint = f"write a whole number from 1 to {grammar.MOST_COUNT}"
        raise RequestError(f"{name} must be a whole number above zero, not {short(value)}", hint=hint, field=name)
    return int(text)


def _optional_text(plain: Mapping[str, object], name: str, most: int) -> str | None:
    value = plain.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value or len(value) > most or not grammar.fits(grammar.LINE, value):
        raise RequestError(f"{name} must be a line of text, not {short(value)}", field=name)
    return value


def _optional_word(plain: Mapping[str, object], name: str) -> str | None:
    value = plain.get(name)
    if value is not None and not (isinstance(value, str) and grammar.fits(grammar.WORD, value)):
        hint = "at most 200 characters without spaces, and no '-' at the beginning"
        raise RequestError(f"{name} {short(value)} is not a name", hint=hint, field=name)
    return value if isinstance(value, str) else None


def _sequence(
    plain: Mapping[str, object], name: str, most: int, pattern: str = grammar.TEXT, what: str = "of texts"
) -> tuple[str, ...]:
    value = () if (given := plain.get(name)) is None else given
    texts = value if isinstance(value, (list, tuple)) else (None,)
    if len(texts) > most or not all(isinstance(v, str) and grammar.fits(pattern, v) for v in texts):
        raise RequestError(f"{name} must be a list {what}, not {short(value)}", hint=f"at most {most}", field=name)
    return tuple(texts)


def _environment(value: object) -> dict[str, str]:
    if value is None:
        return {}
    most = grammar.MOST_VARIABLES
    if not isinstance(value, Mapping) or len(value) > most:
        raise RequestError(f"env must be a mapping of texts, not {short(value)}", hint=f"at most {most}", field="env")
    for name, text in value.items():
        if not isinstance(name, str) or not grammar.fits(grammar.VARIABLE, name):
            raise RequestError(f"{short(name)} is not the name of an environment variable", field="env")
        if not isinstance(text, str) or not grammar.fits(grammar.LINE, text):
            raise RequestError(f"environment variable {name} must be one line of text", field="env")
    return dict(value)


def _annotations(value: object) -> dict[str, str]:
    if value is None:
        return {}
    most = grammar.MOST_VARIABLES
    if not isinstance(value, Mapping) or len(value) > most:
        message = f"annotations must be a mapping of texts, not {short(value)}"
        raise RequestError(message, hint=f"at most {most}", field="annotations")
    for name, text in value.items():
        if not isinstance(name, str) or not grammar.fits(grammar.ANNOTATION, name):
            hint = "write it like com.hooks.cxi.enabled, at most 200 characters"
            raise RequestError(f"{short(name)} is not the key of an annotation", hint=hint, field="annotations")
        if not isinstance(text, str) or not grammar.fits(grammar.LINE, text):
            raise RequestError(f"annotation {name} must be one line of text", field="annotations")
    return dict(value)


def _workdir(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > grammar.LONGEST_PATH or not grammar.fits(grammar.PATH, value):
        hint = "write it out whole, as the container sees it, without '..' and ':'"
        raise RequestError(f"workdir {short(value)} is not an absolute path", hint=hint, field="workdir")
    return value
