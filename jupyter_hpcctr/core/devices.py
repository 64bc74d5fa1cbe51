"""Which devices of its node a container is to have, before there is a node: names of the Container Device Interface."""

from __future__ import annotations

from collections.abc import Mapping

from ..protocol.shared import Devices
from .facts import GUEST_ROOT, Policy
from .request import KernelRequest

INSIDE = f"{GUEST_ROOT}/run/devices"
"""Where a container sees what its devices need: in the kernel's own directory, so that every image has the place."""
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def wanted(request: KernelRequest, policy: Policy) -> Devices | None:
    """Return what a job needs of its nodes, None where it asks for no device."""
    kinds = policy.gpu_kinds if request.resources.gpus_per_node else ()
    return Devices(kinds, request.devices, policy.cdi_dirs, INSIDE) if kinds or request.devices else None


def search_paths(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables by which programs find the devices' libraries and programs, behind what they have."""
    libraries = [each for each in (env.get("LD_LIBRARY_PATH", ""), f"{INSIDE}/lib") if each]
    return {
        "LD_LIBRARY_PATH": ":".join(libraries),
        "PATH": f"{env.get('PATH') or DEFAULT_PATH}:{INSIDE}/bin",
    }
