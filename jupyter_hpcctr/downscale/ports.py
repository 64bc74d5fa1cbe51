"""Free TCP ports for a cluster's daemons."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

from ..errors import ClusterError

_LOW, _HIGH = 10_240, 32_767
_TRIES = 200


def free_block(count: int) -> int:
    """Return the first of ``count`` consecutive ports on which nobody listens now.

    They lie below the range that the kernel gives to outgoing connections (ip(7),
    ``ip_local_port_range``), so that none is taken by chance while the daemons start.

    Raises
    ------
    ClusterError
        No such ports were found.
    """
    high = _ceiling()
    for _ in range(_TRIES):
        first = _LOW + secrets.randbelow(high - _LOW - count)
        if all(_is_free(port) for port in range(first, first + count)):
            return first
    raise ClusterError(
        f"no {count} consecutive free ports between {_LOW} and {high}", hint="stop what listens on so many ports"
    )


def _ceiling() -> int:
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _HIGH
    return first - 1 if first > _LOW + 1000 else _HIGH


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
