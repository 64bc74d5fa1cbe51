"""A cluster's one directory: which files are in it, whose it is, and how it is emptied again."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import pwd
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ..edge import files
from ..errors import ClusterError

# unix(7): 108 bytes with the closing NUL. The longest socket that Slurm makes below the directory is
# that of PMIx in a node's spool directory: spool/n64/stepd.slurm.pmix.1000000.100
_SOCKET_BYTES = 107
_LONGEST = "/spool/n64/stepd.slurm.pmix.1000000.100"
MAX_DIRECTORY_BYTES = _SOCKET_BYTES - len(_LONGEST)
MAX_NODES = 64
_OWN = ("etc", "run", "log", "state", "spool", "tmp")

# slurm.conf(5) ends a word at white space, '#' and ','; '%' stands for a node's name in paths
_PLAIN = re.compile(r"/[A-Za-z0-9._/+~@:=-]*")


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a cluster is; ``cpus``, ``gpus``, ``memory_mb`` (MiB) and ``features`` are each node's, as declared."""

    nodes: int
    cpus: int
    gpus: int
    memory_mb: int
    features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """What the marker file says: the cluster's shape, and whether it made its directory itself."""

    shape: Shape
    made_directory: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """Names the files in a cluster's directory."""

    directory: Path

    @property
    def marker(self) -> Path:
        """The file that says that the directory is a cluster's; written first, removed last."""
        return self.directory / "cluster.json"

    @property
    def conf(self) -> Path:
        """The slurm.conf."""
        return self.directory / "etc" / "slurm.conf"

    @property
    def key(self) -> Path:
        """The key of munged."""
        return self.directory / "etc" / "munge.key"

    @property
    def socket(self) -> Path:
        """The socket of munged."""
        return self.directory / "run" / "munge.sock"

    @property
    def shared_memory(self) -> Path:
        """A directory of this cluster in the machine's shared memory, with one for each node in it.

        Open MPI names its segments after host, user, job and local rank (btl/vader), which two nodes on
        one machine have in common.
        """
        name = hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:16]
        return Path("/dev/shm") / f"hpcctr-{name}"  # noqa: S108  (made by private_dir)

    @property
    def task_prolog(self) -> Path:
        """The program that slurmstepd runs before each task (slurm.conf(5), TaskProlog)."""
        return self.directory / "etc" / "task_prolog"

    def log(self, daemon: str) -> Path:
        """Return a daemon's log file: ``munged``, ``slurmctld``, ``slurmd-n1``."""
        return self.directory / "log" / f"{daemon}.log"

    def read_mark(self) -> Mark | None:
        """Return what the marker says, None where there is none (that can be read)."""
        try:
            plain = json.loads(self.marker.read_text(encoding="utf-8"))
            shape = Shape(**{**plain["shape"], "features": tuple(plain["shape"].get("features", ()))})
            return Mark(shape, bool(plain["made_directory"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write_mark(self, mark: Mark) -> None:
        """Say that the directory is a cluster's."""
        files.write_private(self.marker, json.dumps(asdict(mark)))

    def clear(self) -> None:
        """Remove all but the marker."""
        for name in _OWN:
            shutil.rmtree(self.directory / name, ignore_errors=True)
        shutil.rmtree(self.shared_memory, ignore_errors=True)

    def remove(self, mark: Mark) -> None:
        """Remove what a cluster made, the directory too where it made it; a stranger's files stay."""
        self.clear()
        self.marker.unlink(missing_ok=True)
        if mark.made_directory:
            with contextlib.suppress(OSError):
                self.directory.rmdir()

    def directories(self, shape: Shape) -> Iterator[Path]:
        """Yield the directories to make, parents first."""
        for name in _OWN:
            yield self.directory / name
        for name in node_names(shape.nodes):
            yield self.directory / "spool" / name
            yield self.directory / "tmp" / name
        if self.shared_memory.parent.is_dir():
            yield self.shared_memory
            yield from (self.shared_memory / name for name in node_names(shape.nodes))


def default_directory() -> Path:
    """Return where a cluster lives unless told: the user's state directory, or a short one in its stead."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    wanted = Path(state) / "jupyter_hpcctr" / "cluster"
    if len(os.fsencode(wanted)) <= MAX_DIRECTORY_BYTES and _PLAIN.fullmatch(str(wanted)):
        return wanted
    return Path("/tmp") / f"jupyter_hpcctr-{os.getuid()}" / "cluster"  # noqa: S108  (checked by private_dir)


def check_directory(directory: Path) -> None:
    """Refuse a path in which Slurm or munge could not work.

    Raises
    ------
    ClusterError
        It is too long for the sockets below it, or has characters that slurm.conf(5) cannot carry.
    """
    size = len(os.fsencode(directory))
    if size > MAX_DIRECTORY_BYTES:
        raise ClusterError(
            f"the cluster's directory {directory} is {size} bytes long, {MAX_DIRECTORY_BYTES} are possible: "
            f"the sockets below it may have {_SOCKET_BYTES}",
            hint="choose a shorter one with --dir, such as /tmp/slurm",
        )
    if not _PLAIN.fullmatch(str(directory)):
        raise ClusterError(
            f"the cluster's directory {str(directory)!r} has characters that slurm.conf cannot carry",
            hint="choose one of letters, digits and ._/+~@:=- with --dir",
        )


def node_names(count: int) -> tuple[str, ...]:
    """Return the nodes' names: n1, n2, …"""
    return tuple(f"n{number}" for number in range(1, count + 1))


def user_name() -> str:
    """Return the calling user's name, which Slurm must be able to look up.

    Raises
    ------
    ClusterError
        The user id has no entry in the password database.
    """
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        raise ClusterError(
            f"user id {os.getuid()} has no name here, and Slurm needs one",
            hint="add a line for it to /etc/passwd",
        ) from None


@contextlib.contextmanager
def claimed(directory: Path) -> Iterator[bool]:
    """Make the directory if needed and keep other starters out of it; the value says whether it was made.

    Raises
    ------
    ClusterError
        Somebody starts a cluster in it at this moment.
    UnsafePath
        It is not the caller's alone.
    """
    made = not directory.exists()
    files.private_dir(directory)
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield made
    except BlockingIOError:
        raise ClusterError(
            f"somebody starts a cluster in {directory} at this moment", hint="wait, then look at: cluster status"
        ) from None
    finally:
        os.close(fd)
