"""What is known before anything is decided: the image, the site, the user, and the site's policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..protocol.container import ImageKind
from .questions import Endpoint

ARCHIVE = "agent.zip"
"""Everything of ours that runs in a job; ``python agent.zip ROOM WORDS...`` runs one of its rooms."""
GUEST_ROOT = "/hpcctr"
"""Where our own directories are seen in a container; every image of our store has it."""
HOST_ROOTS = ("/dev", "/proc", "/sys", "/tmp")  # noqa: S108
"""The node's own directories, which every engine shows at their own places; an image needs room for them."""


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """One image of the store: which bytes, and what is known of them.

    ``digest`` is that of the image's manifest (OCI image-spec, "Descriptor"), ``path`` the host path of
    its SquashFS file or directory. ``roots`` maps the names in its root directory to whether each is
    an empty directory, over which other directories may be laid. ``ipykernel`` is the version found in it.
    ``size_bytes`` and ``owner`` (a user id) are the file's: the node compares them before it runs it.
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
    owner: int | None = None


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition, or queue; None where there is no limit, or nothing is known.

    ``gres_used`` and ``gres_idle`` count over all of its nodes that can be used, as ``gpu:a100:3``; ``gres`` is each
    node's. ``billing`` holds weights of resources, by names as ``cpu``, ``gres/gpu`` and ``node``, that of ``mem`` for
    one GiB. Empty ``accounts`` and ``qos`` allow all.
    """

    name: str
    is_default: bool = False
    is_up: bool = True
    nodes_total: int = 0
    nodes_idle: int = 0
    cpus_per_node: int = 0
    mem_mb_per_node: int = 0
    gres: tuple[str, ...] = ()
    time_limit_minutes: int | None = None
    cpus_idle: int | None = None
    gres_used: tuple[str, ...] = ()
    gres_idle: tuple[str, ...] | None = None
    features: tuple[str, ...] | None = None
    max_nodes: int | None = None
    default_time_minutes: int | None = None
    default_mem_mb_per_cpu: int | None = None
    default_mem_mb_per_node: int | None = None
    billing: tuple[tuple[str, float], ...] = ()
    accounts: tuple[str, ...] = ()
    qos: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """An account that the user may charge, with the qualities of service that may be asked for in it."""

    name: str
    qos: tuple[str, ...] = ()
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class Site:
    """What a scheduler says of itself. ``controller`` is the host that is asked.

    ``accounts`` are the user's, empty where none are known; ``billing_max`` is whether a job is billed for the
    greatest of its resources rather than for their sum. ``is_here``: jobs run on the machine that asks, at once, and
    cost nothing unless the site has a price for them.
    """

    scheduler: str
    version: str = ""
    controller: str = "localhost"
    partitions: tuple[Partition, ...] = ()
    accounts: tuple[Account, ...] = ()
    billing_max: bool = False
    is_here: bool = False


@dataclass(frozen=True, slots=True)
class Host:
    """The account and the directories of the process that launches.

    ``job_dir`` is a private directory of this launch on the file system that the nodes share,
    ``run_dir`` one that the agent will make on the node; ``agent_dir`` has what runs in the job, in
    ``ARCHIVE``; ``python`` is the interpreter that runs the agent.
    """

    user: str
    uid: int
    gid: int
    home: str
    cwd: str
    job_dir: str
    run_dir: str
    agent_dir: str
    python: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that ``resolve`` and ``plan`` may look at.

    ``missing`` are the directories to be mounted on that the image is known not to have, ``job_env`` patterns of the
    variables that the scheduler sets in a job.
    """

    host: Host
    image: ImageInfo | None = None
    missing: tuple[str, ...] = ()
    job_env: tuple[str, ...] = ()


# MPI's, GPUs' and locale's variables that a program in the job needs; its scheduler's own come with that.
PASS_ENV: tuple[str, ...] = (
    "PMI_*", "PMIX_*", "PMI2_*", "OMPI_*", "PRTE_*", "UCX_*", "FI_*", "MPICH_*",
    "CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES",
    "ZE_AFFINITY_MASK", "NVIDIA_*", "OMP_*", "LANG", "LC_*", "TZ", "TERM", "COLUMNS",
)  # fmt: skip
# Of those, what would lead a job's processes astray or tell a secret.
DROP_ENV: tuple[str, ...] = ("*TOKEN*", "*SECRET*", "*PASSWORD*")


# Names by which sites mark nodes with a fast network (sbatch(1), --constraint), as shell patterns.
INFINIBAND: tuple[str, ...] = ("ib*", "infiniband*", "hdr*", "ndr*", "edr*", "opa*", "slingshot*")


# What GPUs are called in descriptions of devices (CDI 1.1.0, "kind").
GPU_KINDS: tuple[str, ...] = ("nvidia.com/gpu", "amd.com/gpu", "intel.com/gpu")


@dataclass(frozen=True, slots=True)
class CatalogueImage:
    """An image that the administrator recommends."""

    reference: str
    title: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the administrator allows and chooses: trusted, from the site's configuration alone.

    Empty allow-lists of images and mounts mean that the user's own rights are the limit. ``registries`` are the
    hosts that are searched for images. ``plain_engine`` is the engine of kernels without an image. ``prices`` are those
    of one billing unit for one hour, by partition, ``*`` for the others; kernelspecs that were made for one start are
    kept ``one_off_days``. ``endpoints`` are HTTP services of schedulers by their names there.
    """

    default_engine: str = "charliecloud"
    plain_engine: str = "bare"
    default_scheduler: str = ""
    engines: tuple[str, ...] = ("charliecloud", "bare")
    schedulers: tuple[str, ...] = ()
    image_patterns: tuple[str, ...] = ()
    mount_sources: tuple[str, ...] = ()
    mount_home: bool = True
    mount_points: tuple[str, ...] = ("home", "scratch", "work", "project", "users", "data", "mnt", "srv", "opt", "tmp")
    pass_env: tuple[str, ...] = PASS_ENV
    drop_env: tuple[str, ...] = DROP_ENV
    max_nodes: int | None = None
    max_time_minutes: int | None = None
    image_store: str = "squash"
    store: str = ""
    store_owners: tuple[str, ...] = ()
    state_dir: str = ""
    insecure_registries: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    link_address: str = ""
    node_tmp: str = "/tmp"  # noqa: S108  (the agent makes a 0700 directory in it, exclusively)
    orphan_minutes: int = 720
    orphan_idle_minutes: int = 120
    at_stop: str = "keep"
    keep_mb: int = 1000
    journal_mb: int = 64
    checkpoint_minutes: int = 5
    ranks_beyond_machine: str = "reduce"
    catalogue: tuple[CatalogueImage, ...] = ()
    registries: tuple[str, ...] = ()
    prices: tuple[tuple[str, float], ...] = ()
    currency: str = ""
    infiniband_features: tuple[str, ...] = INFINIBAND
    endpoints: tuple[tuple[str, Endpoint], ...] = ()
    gpu_kinds: tuple[str, ...] = GPU_KINDS
    cdi_dirs: tuple[str, ...] = ()
    one_off_days: int = 14
    log_format: str = "text"


@dataclass(frozen=True, slots=True)
class Changed:
    """The site's configuration is another one by now than that which a process has read, and goes by.

    ``at`` is when (seconds since 1970), ``settings`` are the names of those that differ; where the files cannot be
    read any more there are none. ``message`` says all of this to a person.
    """

    at: float
    message: str
    settings: tuple[str, ...] = ()
