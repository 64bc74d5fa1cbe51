"""Addresses of this host."""

from __future__ import annotations

import socket


def address_towards(host: str) -> str:
    """Return this host's own address on the route to another host; no packet is sent.

    The compute nodes reach the controller, so this is the address under which they reach us.
    ``127.0.0.1`` where the host is this one or its name means nothing here.
    """
    for family, kind, proto, _, target in _resolve(host):
        with socket.socket(family, kind, proto) as probe:
            try:
                probe.connect(target)
            except OSError:
                continue
            return str(probe.getsockname()[0])
    return "127.0.0.1"


def _resolve(host: str) -> list[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str | int, ...]]]:
    try:
        return socket.getaddrinfo(host, 6817, type=socket.SOCK_DGRAM)  # type: ignore[return-value]
    except OSError:
        return []
