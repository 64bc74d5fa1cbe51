"""The first half of the walk: from a request to a plan. Nothing is submitted and no file is written."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import pwd
import secrets
import sys
from collections.abc import Callable, Iterator

import zmq

from ..core import plan as planning
from ..core.facts import Facts, Host, Policy
from ..core.plan import LaunchPlan
from ..core.request import KernelRequest
from ..core.resolve import mounts, plain, precheck, resolve
from ..core.seams import Engine, ImageStore, Scheduler
from ..errors import DiskFull, HpcctrError, LaunchError
from . import carried


def gather(request: KernelRequest, policy: Policy, store: ImageStore, *, cwd: str, token: str = "") -> Facts:
    """Look up what the decision needs: the image in the store, the account, the directories.

    ``token`` names the job's directory, and so the job; it is made up where none is given.

    Raises
    ------
    ImageError
        The store's entry cannot be trusted or read.
    """
    account = pwd.getpwuid(os.getuid())
    # Two words: everybody can see the job's directory in the queue, nobody may foresee the node's.
    job_token, run_token = token or secrets.token_hex(6), secrets.token_hex(6)
    job_dir = f"{policy.state_dir}/jobs/{job_token}"
    host = Host(
        user=account.pw_name,
        uid=account.pw_uid,
        gid=account.pw_gid,
        home=os.environ.get("HOME") or account.pw_dir,
        cwd=cwd,
        job_dir=job_dir,
        run_dir=f"{policy.node_tmp}/hpcctr-{account.pw_uid}-{run_token}",
        agent_dir=f"{job_dir}/{carried.LINK}",
        python=sys.executable,
    )
    image = None if request.image is None else store.find(request.image)
    targets = [mount.target for mount in mounts(request, host, policy)]
    targets += [plain(request.workdir)] if request.workdir is not None else []
    asked = () if image is None else tuple(each for each in targets if planning.below_filled(each, image))
    return Facts(host=host, image=image, missing=store.missing(image, asked) if image is not None and asked else ())


def draw(
    request: KernelRequest,
    facts: Facts,
    policy: Policy,
    *,
    engine: Callable[[str], Engine],
    scheduler: Callable[[str], Scheduler],
) -> LaunchPlan:
    """Resolve and plan. What ``jupyter hpcctr plan`` prints and what a launch submits is the same value.

    Raises
    ------
    RequestError, PolicyError, ImageError, EngineError
        As ``resolve`` and ``plan`` do.
    """
    chosen = scheduler(precheck(request, policy)[1])
    facts = dataclasses.replace(facts, job_env=chosen.job_env)
    resolved = resolve(request, facts, policy)
    return planning.plan(resolved, facts, policy, engine=engine(resolved.engine), scheduler=chosen)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn the operating system's and ZeroMQ's refusals into the launch's own, once for the whole walk.

    Raises
    ------
    DiskFull
        In place of an ``OSError`` that says that a file system or a quota is full.
    LaunchError
        In place of any other, and of ``zmq.ZMQError``: a directory that cannot be made, an address that is not this
        host's.
    """
    try:
        yield
    except (OSError, zmq.ZMQError) as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "free some room there, or have the quota raised"
            raise DiskFull(f"the kernel cannot be launched: {error}", hint=hint) from error
        raise LaunchError(f"the kernel cannot be launched: {error}", hint="free or allow what it names") from error


@contextlib.contextmanager
def said() -> Iterator[None]:
    """Turn whatever a launch raises into an error that can be shown to a user.

    Raises
    ------
    HpcctrError
        What was raised, or in its place: as ``translated``, and ``LaunchError`` for a fault of our own.
    """
    try:
        with translated():
            yield
    except HpcctrError:
        raise
    except Exception as error:
        raise LaunchError(f"the launch failed: {error!r}", hint="this is a bug: please report it") from error
