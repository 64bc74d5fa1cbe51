"""A container as an OCI bundle's ``config.json`` (OCI runtime-spec 1.0.2, "Configuration")."""

from __future__ import annotations

from typing import Any

from ..protocol.container import Container, NodeFacts, Program
from .words import HOST_MOUNTS, root

_DEV = {"destination": "/dev", "type": "bind", "source": "/dev", "options": ["rbind"]}


def config(container: Container, program: Program, node: NodeFacts) -> dict[str, Any]:
    """Return the configuration of a container with one program.

    It has user and mount namespaces of its own, the user's id, no capability, and ``noNewPrivileges``; everything else
    is the node's. Control groups are the scheduler's, and none are made.
    """
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": node.uid, "gid": node.gid},
            "args": list(program.argv),
            "env": [f"{name}={value}" for name, value in program.env.items()],
            "cwd": container.workdir,
            "noNewPrivileges": True,
            "capabilities": {},
        },
        "root": {"path": root(container), "readonly": True},
        "mounts": [_DEV, *(_bound(each.source, each.target, each.read_only) for each in HOST_MOUNTS)]
        + [_bound(each.source, each.target, each.read_only) for each in container.mounts],
        "linux": {
            "namespaces": [{"type": "user"}, {"type": "mount"}],
            "uidMappings": [{"containerID": node.uid, "hostID": node.uid, "size": 1}],
            "gidMappings": [{"containerID": node.gid, "hostID": node.gid, "size": 1}],
        },
    }


def _bound(source: str, target: str, read_only: bool) -> dict[str, Any]:
    options = ["rbind", "ro" if read_only else "rw"]
    return {"destination": target, "type": "bind", "source": source, "options": options}
