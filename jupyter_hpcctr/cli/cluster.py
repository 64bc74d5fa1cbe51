"""``jupyter hpcctr cluster up | status | down``: a Slurm in one directory."""

from __future__ import annotations

import argparse
import shlex
import time
from pathlib import Path

from ..downscale.cluster import Cluster, ClusterStatus
from . import parts


def register(commands: parts.Commands[argparse.ArgumentParser]) -> None:
    """Add ``cluster`` and its actions."""
    actions = parts.group(commands, "cluster", "run a real Slurm in one directory, without root, to try things out")
    up = parts.action(actions, "up", "start a cluster and wait until its nodes are idle")
    up.add_argument("--nodes", type=int, default=2, metavar="N", help="number of nodes (default: 2)")
    up.add_argument("--cpus", type=int, metavar="N", help="CPUs per node (default: this machine's, at least 4)")
    up.add_argument("--gpus", type=int, default=0, metavar="N", help="declared GPUs per node (default: 0)")
    up.add_argument("--memory", type=int, metavar="MIB", help="memory per node in MiB (default: this machine's)")
    up.add_argument(
        "--features", default="", metavar="NAME,…", help="node features, for --constraint (default: none)"
    )
    up.set_defaults(func=_up)
    status = parts.action(actions, "status", "show the state of the cluster; exit status 1 if it is not up")
    status.set_defaults(func=_status)
    down = parts.action(actions, "down", "cancel its jobs, stop its processes and remove its files")
    down.set_defaults(func=_down)
    for each in (up, status, down):
        each.add_argument(
            "--dir", type=Path, metavar="DIR", help="the cluster's directory (default: in your state directory)"
        )


def _up(args: argparse.Namespace) -> int:
    before = time.monotonic()
    features = [name for name in args.features.split(",") if name]
    cluster = Cluster.up(
        args.dir, nodes=args.nodes, cpus=args.cpus, gpus=args.gpus, memory_mb=args.memory, features=features
    )
    took = time.monotonic() - before
    print(_describe(cluster.status()))
    print(f"up in {took:.1f} s; to use it, run:\n\n    export SLURM_CONF={shlex.quote(str(cluster.conf))}\n")
    return 0


def _status(args: argparse.Namespace) -> int:
    status = Cluster.at(args.dir).status()
    print(_describe(status))
    return 0 if status.is_up else 1


def _down(args: argparse.Namespace) -> int:
    cluster = Cluster.at(args.dir)
    print(f"cluster in {cluster.directory}: {'down' if cluster.down() else 'not there'}")
    return 0


def _describe(status: ClusterStatus) -> str:
    lines = [f"cluster in {status.directory}: {status.problem or 'up'}"]
    for node in status.nodes:
        gres = f", {node.gres}" if node.gres else ""
        lines.append(f"  {node.name}  {node.state}  {node.cpus} CPUs, {node.memory_mb} MiB{gres}")
    if status.is_up:
        lines.append(f"  jobs: {status.jobs}")
    lines += [f"  {name}: process {pid}" for name, pid in status.pids.items()]
    return "\n".join(lines)
