"""What is known before anything is decided: the image, the site, the user, and the site's policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ImageKind = Literal["squashfs", "directory", "none"]

GUEST_ROOT = "/hpcctr"
"""Where our own directories are seen in a container; every image of our store has it."""


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """One image of the store: which bytes, and what is known of them.

    ``digest`` is that of the image's manifest (OCI image-spec, "Descriptor"), ``path`` the host path of
    its SquashFS file or directory. ``roots`` maps the names in its root directory to whether each is
    an empty directory, over which other directories may be laid. ``ipykernel`` is the version found in it.
    """

    reference: str
    digest: str
    path: str
    kind: ImageKind
    size_bytes: int = 0
    created: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    roots: Mapping[str, bool] = field(default_factory=dict)
    ipykernel: str | None = None


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition as sinfo(1) sees it; None where Slurm says that there is no limit."""

    name: str
    is_default: bool = False
    is_up: bool = True
    nodes_total: int = 0
    nodes_idle: int = 0
    cpus_per_node: int = 0
    mem_mb_per_node: int = 0
    gres: tuple[str, ...] = ()
    time_limit_minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """What a scheduler says of itself. ``controller`` is the host to which its commands talk."""

    scheduler: str
    version: str = ""
    controller: str = "localhost"
    partitions: tuple[Partition, ...] = ()


@dataclass(frozen=True, slots=True)
class Host:
    """The account and the directories of the process that launches.

    ``job_dir`` is a private directory of this launch on the file system that the nodes share,
    ``run_dir`` one that the agent will make on the node; ``guest_dir`` holds the guest's code,
    ``python`` the interpreter that runs the agent.
    """

    user: str
    uid: int
    home: str
    cwd: str
    job_dir: str
    run_dir: str
    guest_dir: str
    python: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that ``resolve`` may look at."""

    host: Host
    image: ImageInfo | None = None


# Slurm, PMI, MPI, GPU and locale variables that a program in the job needs to find its place.
PASS_ENV: tuple[str, ...] = (
    "SLURM_*", "SLURMD_NODENAME", "PMI_*", "PMIX_*", "PMI2_*", "OMPI_*", "PRTE_*", "UCX_*", "FI_*", "MPICH_*",
    "CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES",
    "ZE_AFFINITY_MASK", "NVIDIA_*", "OMP_*", "LANG", "LC_*", "TZ", "TERM", "COLUMNS",
)  # fmt: skip
# Of those, what would lead a job's processes astray or tell a secret.
DROP_ENV: tuple[str, ...] = ("SLURM_CONF_SERVER", "SLURM_JWT", "SLURM_JOBID_*", "*TOKEN*", "*SECRET*", "*PASSWORD*")


@dataclass(frozen=True, slots=True)
class Policy:
    """What the administrator allows and chooses: trusted, from the site's configuration alone.

    Empty allow-lists of images and mounts mean that the user's own rights are the limit.
    """

    default_engine: str = "charliecloud"
    default_scheduler: str = "slurm"
    engines: tuple[str, ...] = ("charliecloud", "bare")
    schedulers: tuple[str, ...] = ("slurm", "local")
    image_patterns: tuple[str, ...] = ()
    mount_sources: tuple[str, ...] = ()
    mount_home: bool = True
    mount_points: tuple[str, ...] = ("home", "scratch", "work", "project", "users", "data", "mnt", "srv", "opt", "tmp")
    pass_env: tuple[str, ...] = PASS_ENV
    drop_env: tuple[str, ...] = DROP_ENV
    max_nodes: int | None = None
    max_time_minutes: int | None = None
    store: str = ""
    state_dir: str = ""
    insecure_registries: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    link_address: str = ""
    node_tmp: str = "/tmp"  # noqa: S108  (the agent makes a 0700 directory in it, exclusively)
    orphan_minutes: int = 10
    ranks_beyond_machine: str = "reduce"
