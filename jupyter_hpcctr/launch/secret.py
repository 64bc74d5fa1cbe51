"""What only the agent may know, in a file that only its user can read."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from ..core.plan import STARTUP, LaunchPlan
from ..delivery.kept import Kept
from ..edge import files
from ..edge.link import KeyPair, Receiver
from ..edge.loop import in_thread
from .hub import Hub


async def entrust(hub: Hub, plan: LaunchPlan, kernel_key: str, receiver: Receiver) -> str:
    """Make keys for a plan's agent, let it in at the link, and write its file (0600 in a 0700 directory).

    The file is the only place where the keys stand: not the job's words, script or environment.

    Returns
    -------
    str
        The agent's public key, by which the link knows it.
    """
    keys = KeyPair.new()
    endpoint = await hub.endpoint(plan.scheduler)
    config = {
        "link": {
            "addresses": [endpoint],
            "server_key": hub.link.public_key,
            "public_key": keys.public,
            "secret_key": keys.secret,
        },
        "kernel_key": kernel_key,
        "keep_bytes": hub.policy.keep_mb * 1_000_000,
        "orphan_seconds": hub.policy.orphan_minutes * 60,
        "checkpoint_seconds": hub.policy.checkpoint_minutes * 60,
        "plan": dataclasses.asdict(plan),
    }
    await in_thread(files.private_dir, Path(hub.policy.state_dir) / STARTUP)
    await in_thread(files.private_dir, Path(plan.job_dir))
    await in_thread(files.write_private, Path(plan.secret_file), json.dumps(config))
    await in_thread(files.write_private, Path(plan.log_file), "")  # else the scheduler makes it by its umask
    kept = Kept(f"{plan.job_dir}/kept", files=hub.policy.keep_mb * 1_000_000)
    hub.link.admit(keys.public, receiver, kept)
    return keys.public
