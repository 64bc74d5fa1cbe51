"""The composition root: one hub per process and site policy, with everything a launch needs."""

from __future__ import annotations

import atexit
import os
import threading

from . import plugins
from .core.facts import Policy
from .launch import Hub

_hubs: dict[tuple[int, Policy], Hub] = {}  # by process too: a fork has neither threads nor sockets of its parent's
_lock = threading.Lock()


def hub(policy: Policy) -> Hub:
    """Return this process's hub for a policy; made at first use, ended with the process."""
    with _lock:
        key = os.getpid(), policy
        if key not in _hubs:
            made = Hub(
                policy,
                engine=plugins.engine,
                scheduler=plugins.scheduler,
                store=plugins.image_store(policy),
            )
            if not _hubs:
                atexit.register(close_all)
            _hubs[key] = made
        return _hubs[key]


def hubs() -> tuple[Hub, ...]:
    """Return the hubs that there are now."""
    with _lock:
        return tuple(_hubs.values())


def close_all() -> None:
    """End every launch of this process; runs by itself when the process ends."""
    with _lock:
        for key in [each for each in _hubs if each[0] == os.getpid()]:
            _hubs.pop(key).close()
