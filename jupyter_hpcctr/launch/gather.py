"""The first half of the walk: from a request to a plan. Nothing is submitted and no file is written."""

from __future__ import annotations

import os
import pwd
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

from .. import guest
from ..core import plan as planning
from ..core.facts import Facts, Host, Policy
from ..core.plan import LaunchPlan
from ..core.request import KernelRequest
from ..core.resolve import resolve
from ..core.seams import Engine, ImageStore, Scheduler


def gather(request: KernelRequest, policy: Policy, store: ImageStore, *, cwd: str) -> Facts:
    """Look up what the decision needs: the image in the store, the account, the directories.

    Raises
    ------
    ImageError
        The store's entry cannot be trusted or read.
    """
    account = pwd.getpwuid(os.getuid())
    token = secrets.token_hex(6)
    host = Host(
        user=account.pw_name,
        uid=account.pw_uid,
        home=os.environ.get("HOME") or account.pw_dir,
        cwd=cwd,
        job_dir=f"{policy.state_dir}/jobs/{token}",
        run_dir=f"{policy.node_tmp}/hpcctr-{account.pw_uid}-{token}",
        guest_dir=str(Path(guest.__file__).resolve().parent),
        python=sys.executable,
    )
    image = None if request.image is None else store.find(request.image)
    return Facts(host=host, image=image)


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
    resolved = resolve(request, facts, policy)
    return planning.plan(
        resolved, facts, policy, engine=engine(resolved.engine), scheduler=scheduler(resolved.scheduler)
    )
