"""What only the agent may know, in a file that only its user can read; while it is alone, it looks there again."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import socket
from pathlib import Path
from typing import Any

from ..core.plan import STARTUP, LaunchPlan
from ..delivery.kept import Kept
from ..edge import files
from ..edge.link import KeyPair, Receiver
from ..edge.loop import in_thread
from .hub import Hub


async def entrust(hub: Hub, plan: LaunchPlan, keys: KeyPair, kernel_key: str, receiver: Receiver) -> None:
    """Let a plan's agent in at the link by its public key, and write its file (0600 in a 0700 directory).

    The file is the only place where the secret key stands: not the job's words, script or environment.
    """
    policy = hub.policy
    config = {
        "link": {
            **await _address(hub, plan),
            "public_key": keys.public,
            "secret_key": keys.secret,
        },
        "kernel_key": kernel_key,
        "keep_bytes": policy.keep_mb * 1_000_000,
        "orphan_seconds": policy.orphan_minutes * 60,
        "orphan_idle_seconds": policy.orphan_idle_minutes * 60,
        "checkpoint_seconds": policy.checkpoint_minutes * 60,
        "kept": False,
        "host": socket.gethostname(),
        "plan": dataclasses.asdict(plan),
    }
    await in_thread(files.private_dir, Path(policy.state_dir) / STARTUP)
    await in_thread(files.private_dir, Path(plan.job_dir))
    await in_thread(files.write_private, Path(plan.secret_file), json.dumps(config))
    await in_thread(files.write_private, Path(plan.log_file), "")  # else the scheduler makes it by its umask
    _admit(hub, plan, keys.public, receiver)


async def readdress(hub: Hub, plan: LaunchPlan, public_key: str, receiver: Receiver) -> None:
    """Let in the agent of a process that is gone, and write into its file where to dial now.

    A file that is gone went with its job.

    Raises
    ------
    SchedulerUnreachable, OSError, zmq.ZMQError
        It is not known which address it could dial, or its file cannot be written.
    """
    address = await _address(hub, plan)
    await in_thread(_change, plan, {"kept": False}, address)
    _admit(hub, plan, public_key, receiver)


async def announce_absence(plan: LaunchPlan) -> None:
    """Write into an agent's file that its server is away on purpose."""
    with contextlib.suppress(OSError):
        await in_thread(_change, plan, {"kept": True}, {})


async def _address(hub: Hub, plan: LaunchPlan) -> dict[str, Any]:
    endpoint = await hub.endpoint(plan.scheduler)
    return {"addresses": [endpoint], "server_key": hub.link.public_key}


def _admit(hub: Hub, plan: LaunchPlan, public_key: str, receiver: Receiver) -> None:
    kept = Kept(f"{plan.job_dir}/kept", files=hub.policy.keep_mb * 1_000_000)
    hub.link.admit(public_key, receiver, kept)


def _change(plan: LaunchPlan, changes: dict[str, Any], address: dict[str, Any]) -> None:
    path = Path(plan.secret_file)
    try:
        config = json.loads(files.read_private(path))
    except (FileNotFoundError, ValueError):
        return
    config |= changes
    config["link"] |= address
    files.write_private(path, json.dumps(config))
