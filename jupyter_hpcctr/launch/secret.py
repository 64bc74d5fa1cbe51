"""What only the agent may know, in a file that only its user can read; while it is alone, it looks there again."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
from collections.abc import Callable
from pathlib import Path

from ..core.plan import STARTUP, LaunchPlan, job_plan
from ..delivery.kept import Kept
from ..edge import files
from ..edge.link import KeyPair, Receiver
from ..edge.loop import in_thread
from ..errors import LaunchError
from ..protocol import codec
from ..protocol.values import AgentFile, Link
from . import carried
from .hub import Hub


async def entrust(hub: Hub, plan: LaunchPlan, keys: KeyPair, kernel_key: str, receiver: Receiver) -> None:
    """Let a plan's agent in at the link by its public key, and write its file (0600 in a 0700 directory).

    The file is the only place where the secret key stands: not the job's words, script or environment.
    """
    policy = hub.policy
    addresses, server_key = await _address(hub, plan)
    told = AgentFile(
        link=Link(addresses, server_key, keys.public, keys.secret),
        kernel_key=kernel_key,
        keep_bytes=policy.keep_mb * 1_000_000,
        orphan_seconds=policy.orphan_minutes * 60,
        orphan_idle_seconds=policy.orphan_idle_minutes * 60,
        checkpoint_seconds=policy.checkpoint_minutes * 60,
        kept=False,
        scheduler=plan.scheduler,
        host=socket.gethostname(),
        plan=job_plan(plan),
    )
    await in_thread(files.private_dir, Path(policy.state_dir) / STARTUP)
    await in_thread(files.private_dir, Path(plan.job_dir))
    await in_thread(carried.give, Path(policy.state_dir), Path(plan.job_dir), plan.ranks.engine)
    await in_thread(files.write_private, Path(plan.secret_file), codec.to_json(told))
    await in_thread(files.write_private, Path(plan.log_file), "")  # else the scheduler makes it by its umask
    _admit(hub, plan, keys.public, receiver)


async def readdress(hub: Hub, plan: LaunchPlan, public_key: str, receiver: Receiver) -> None:
    """Let in the agent of a process that is gone, and write into its file where to dial now.

    A file that is gone went with its job.

    Raises
    ------
    SchedulerUnreachable, LaunchError, OSError, zmq.ZMQError
        It is not known which address it could dial, or its file cannot be read or written.
    """
    addresses, server_key = await _address(hub, plan)

    def changed(told: AgentFile) -> AgentFile:
        link = dataclasses.replace(told.link, addresses=addresses, server_key=server_key)
        return dataclasses.replace(told, kept=False, link=link)

    await in_thread(_change, plan, changed)
    _admit(hub, plan, public_key, receiver)


async def announce_absence(plan: LaunchPlan) -> None:
    """Write into an agent's file that its server is away on purpose."""
    with contextlib.suppress(OSError, LaunchError):
        await in_thread(_change, plan, lambda told: dataclasses.replace(told, kept=True))


async def _address(hub: Hub, plan: LaunchPlan) -> tuple[tuple[str, ...], str]:
    return (await hub.endpoint(plan.scheduler),), hub.link.public_key


def _admit(hub: Hub, plan: LaunchPlan, public_key: str, receiver: Receiver) -> None:
    kept = Kept(f"{plan.job_dir}/kept", files=hub.policy.keep_mb * 1_000_000)
    hub.link.admit(public_key, receiver, kept)


def _change(plan: LaunchPlan, changed: Callable[[AgentFile], AgentFile]) -> None:
    path = Path(plan.secret_file)
    try:
        told = codec.from_json(AgentFile, files.read_private(path))
    except FileNotFoundError:
        return
    except codec.Unreadable as error:
        raise LaunchError(
            f"the agent of {plan.name} cannot be told where its server is: {path}: {error}",
            hint="go on with the version of this package that has submitted the job, or cancel the job",
        ) from error
    files.write_private(path, codec.to_json(changed(told)))
