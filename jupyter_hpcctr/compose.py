"""The composition root: one hub per process and site policy, with everything a launch needs."""

from __future__ import annotations

import atexit
import threading

from . import plugins
from .core.facts import Policy
from .launch import Hub

_hubs: dict[Policy, Hub] = {}
_lock = threading.Lock()


def hub(policy: Policy) -> Hub:
    """Return this process's hub for a policy; made at first use, ended with the process."""
    with _lock:
        if policy not in _hubs:
            made = Hub(
                policy,
                engine=plugins.engine,
                scheduler=plugins.scheduler,
                store=plugins.image_store("squash", policy),
            )
            if not _hubs:
                atexit.register(close_all)
            _hubs[policy] = made
        return _hubs[policy]


def hubs() -> tuple[Hub, ...]:
    """Return the hubs that there are now."""
    with _lock:
        return tuple(_hubs.values())


def close_all() -> None:
    """End every launch of this process; runs by itself when the process ends."""
    with _lock:
        while _hubs:
            _hubs.popitem()[1].close()
