"""The text of Slurm's configuration files, and what this machine contributes to it."""

from __future__ import annotations

import re
import secrets
import socket
import stat
from pathlib import Path

from ..edge import files
from ..errors import ClusterError
from .layout import Layout, Shape, user_name

KILL_WAIT_S = 2
"""Seconds between SIGTERM and SIGKILL when a job ends (slurm.conf(5), KillWait)."""

MPI_CONF = "PMIxCollFence=ring\n"
"""The text of mpi.conf(5), which Slurm reads from 22.05 on.

With the tree, which is otherwise taken for fences without data, a node's ranks can pass the barrier at the end of
MPI_Init before another node's are there (seen with 22.05): their first message then meets an Open MPI that has no
receiver for it yet, and ends it by SIGSEGV.
"""

BILLING = "CPU=1.0,Mem=0.25G"
"""What a job is billed for (slurm.conf(5), TRESBillingWeights), only shown. GPUs can be weighed with slurmdbd alone."""


def write(layout: Layout, shape: Shape, *, first_port: int, release: tuple[int, int]) -> None:
    """Make the directories and write the key and the configuration.

    Raises
    ------
    ClusterError
        More GPUs are asked for than this machine has device files to stand for them.
    """
    gres = gres_conf(shape)
    for directory in layout.directories(shape):
        files.private_dir(directory)
    files.write_private(layout.key, secrets.token_hex(512))
    files.write_private(layout.conf, slurm_conf(layout.directory, shape, first_port, user_name(), loopback()))
    files.write_private(layout.conf.with_name("gres.conf"), gres)
    files.write_private(layout.conf.with_name("mpi.conf"), MPI_CONF)
    files.write_private(layout.task_prolog, task_prolog(layout.shared_memory))
    layout.task_prolog.chmod(0o700)
    plugin = "disabled" if release >= (24, 5) else "cgroup/v1"
    files.write_private(layout.conf.with_name("cgroup.conf"), f"CgroupPlugin={plugin}\n")


def loopback() -> str | None:
    """Return the loopback address of this host's own name, None where the name has none.

    The daemons can then listen there alone; elsewhere srun(1) could not reach them by the host's name.
    """
    try:
        address = socket.gethostbyname(socket.gethostname())
    except OSError:
        return None
    return address if address.startswith("127.") else None


def slurm_conf(directory: Path, shape: Shape, first_port: int, user: str, address: str | None) -> str:
    """Return the text of slurm.conf(5).

    ``first_port`` is the controller's, the nodes' follow; ``address`` is the loopback address to listen
    on, None to listen everywhere (munge's key still keeps others out).
    """
    where, base = address or "127.0.0.1", directory
    nodes = f"n[1-{shape.nodes}]" if shape.nodes > 1 else "n1"
    ports = f"[{first_port + 1}-{first_port + shape.nodes}]" if shape.nodes > 1 else str(first_port + 1)
    gres = f" Gres=gpu:{shape.gpus}" if shape.gpus else ""
    features = f" Features={','.join(shape.features)}" if shape.features else ""
    listen = () if address is None else ("CommunicationParameters=NoCtldInAddrAny,NoInAddrAny",)
    lines = (
        "ClusterName=downscale",
        f"SlurmctldHost=localhost({where})",
        f"SlurmctldPort={first_port}",
        f"SlurmUser={user}",
        f"SlurmdUser={user}",
        *listen,
        "AuthType=auth/munge",
        f"AuthInfo=socket={base}/run/munge.sock",
        "CredType=cred/munge",
        f"StateSaveLocation={base}/state",
        f"SlurmdSpoolDir={base}/spool/%n",
        f"SlurmctldPidFile={base}/run/slurmctld.pid",
        f"SlurmdPidFile={base}/run/slurmd-%n.pid",
        f"SlurmctldLogFile={base}/log/slurmctld.log",
        f"SlurmdLogFile={base}/log/slurmd-%n.log",
        f"TmpFS={base}/tmp/%n",  # noqa: S108  (two nodes' PMIx servers would meet in one /tmp)
        "ProctrackType=proctrack/linuxproc",
        "TaskPlugin=task/none",
        "SelectType=select/cons_tres",
        "SelectTypeParameters=CR_Core_Memory",
        f"DefMemPerCPU={max(1, shape.memory_mb // shape.cpus)}",
        "SchedulerParameters=batch_sched_delay=0,bf_interval=2,sched_min_interval=1000",
        "MpiDefault=pmi2",
        "ReturnToService=2",
        "SlurmdParameters=config_overrides",  # a node may declare more than the machine has
        "AccountingStorageType=accounting_storage/none",
        "JobAcctGatherType=jobacct_gather/linux",
        "GresTypes=gpu",
        f"TaskProlog={base}/etc/task_prolog",
        f"KillWait={KILL_WAIT_S}",
        "OverTimeLimit=0",
        f"NodeName={nodes} NodeHostname=localhost NodeAddr={where} Port={ports} "
        f"CPUs={shape.cpus} RealMemory={shape.memory_mb}{gres}{features} State=UNKNOWN",
        f"PartitionName=debug Nodes={nodes} Default=YES MaxTime=INFINITE State=UP TRESBillingWeights={BILLING}",
    )
    return "\n".join(lines) + "\n"


def task_prolog(shared_memory: Path) -> str:
    """Return a script whose output becomes the tasks' environment: Open MPI 4's and 5's names for one thing, and UCX's.

    Nodes that are one machine look to MPI like one node, and are none where each has a container: UCX would open
    another process's files across user namespaces, which ends MPICH in MPI_Init, so it keeps to System V's memory.

    What the user has set stays, but not what a job's batch script got here, for its own node.
    """
    lines = ["#!/bin/sh", f'[ -d "{shared_memory}/$SLURMD_NODENAME" ] || exit 0']
    for name in ("OMPI_MCA_btl_vader_backing_directory", "OMPI_MCA_btl_sm_backing_directory"):
        lines.append(
            f'case "${name}" in ""|"{shared_memory}"/*) echo "export {name}={shared_memory}/$SLURMD_NODENAME";; esac'
        )
    lines.append('[ -n "$UCX_TLS" ] || echo "export UCX_TLS=sysv,self"')
    return "\n".join([*lines, "exit 0"]) + "\n"


def gres_conf(shape: Shape) -> str:
    """Return the text of gres.conf(5): each declared GPU stands on a device file that exists.

    Raises
    ------
    ClusterError
        There are too few device files.
    """
    lines = ["AutoDetect=off"]
    if shape.gpus:
        devices = _device_files()
        if len(devices) < shape.gpus:
            raise ClusterError(
                f"{shape.gpus} GPUs a node need as many device files, and this machine has {len(devices)}",
                hint=f"declare at most {len(devices)}",
            )
        nodes = f"n[1-{shape.nodes}]" if shape.nodes > 1 else "n1"
        lines += [f"NodeName={nodes} Name=gpu File={device}" for device in devices[: shape.gpus]]
    return "\n".join(lines) + "\n"


def _device_files() -> list[str]:
    """Return character devices, real GPUs first; slurmd only looks whether they are there."""
    found = [entry for entry in Path("/dev").iterdir() if re.fullmatch(r"[a-z]+[0-9]*", entry.name)]
    devices = [path.name for path in found if _is_device(path)]
    devices.sort(key=_order)
    return [f"/dev/{name}" for name in devices]


def _is_device(path: Path) -> bool:
    try:
        return stat.S_ISCHR(path.lstat().st_mode)
    except OSError:
        return False


def _order(name: str) -> tuple[bool, bool, str, int]:
    letters = name.rstrip("0123456789")
    number = name[len(letters) :]
    return not (letters == "nvidia" and number), letters != "tty", letters, int(number or 0)
