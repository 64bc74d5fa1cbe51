"""Starts the processes on other nodes, by the scheduler's own words, and says where they find the hub."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Generator, Sequence

from ..agent.children import Child
from ..protocol import codec
from ..protocol import words as placeholders
from ..protocol.tasks import Invitation, NodeTask
from .config import Config, filled
from .found import asked

EVERYWHERE = "*"


def start_nodes(config: Config, names: Sequence[str], invitation: Invitation, log: str) -> Child:
    """Start one process on each of these nodes; what they must know, a secret among it, goes by standard input."""
    values = {
        placeholders.RANKS: len(names),
        placeholders.NODES: len(names),
        placeholders.NODELIST: ",".join(names),
        placeholders.CPUS: 1,
        placeholders.PMI: "none",
        placeholders.OVERCOMMIT: "",
        placeholders.DIRECTORY: "/",
    }
    plan = config.plan
    assert plan.steps is not None  # noqa: S101  (a scheduler that has given several nodes has words for that)
    task = NodeTask(
        env=config.env,
        image_env=config.image_env,
        pass_env=config.pass_env,
        drop_env=config.drop_env,
        plan=plan,
        dir_inside="" if config.dir_inside == config.dir else config.dir_inside,  # without a container, its own
        invitation=invitation,
    )
    words = [*filled(plan.steps.nodes, values), *plan.hub_argv, "--node"]
    return Child(words, env=dict(os.environ), cwd="/", log=log, text=codec.to_json(task))


def listening_address(config: Config, names: Sequence[str]) -> Generator[None, None, str]:
    """Return the address at which other nodes of a job reach this one.

    It is loopback's where all of them are on this machine, as those of the small cluster are, and else every one: which
    of this node's networks the scheduler's steps take is not ours to know.
    """
    steps = config.plan.steps
    found = [] if steps is None else (yield from asked(config, steps.addresses, NODELIST=",".join(names)))
    own = {_address_towards(address) for address in found}
    only = own.pop() if len(own) == 1 and len(found) == len(names) else ""
    return only if only and ipaddress.ip_address(only).is_loopback else EVERYWHERE


def _address_towards(host: str) -> str:
    """Return this node's own address on the way to another, "" where it has no such name; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 6818))
        except OSError:
            return ""
        return str(probe.getsockname()[0])
