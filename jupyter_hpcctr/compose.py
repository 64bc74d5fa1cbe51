"""The composition root: one hub per process, with everything a launch needs."""

from __future__ import annotations

import atexit
import os
import threading

from jupyter_core import paths
from traitlets.config import Config

from . import plugins
from .config import Configuration
from .core.facts import Policy
from .launch import Hub

# By process: a fork has neither threads nor sockets of its parent's. And by where the site's configuration is.
_Place = tuple[int, tuple[str, ...]]
_here: dict[_Place, Configuration] = {}
_hubs: dict[tuple[int, Policy], Hub] = {}
_lock = threading.RLock()


def here(own: Config | None = None) -> Hub:
    """Return this process's hub, which goes by the site's configuration as it was when it was first asked for.

    All of a process's kernels have this one hub, however the files change meanwhile: ``Hub.changed`` tells of that.

    Parameters
    ----------
    own : Config, optional
        As for ``load_policy``; it counts at first use.

    Raises
    ------
    ConfigurationError
        The site's configuration cannot be read. The next call tries again.
    """
    place = os.getpid(), tuple(paths.jupyter_config_path())
    with _lock:
        if place not in _here:
            _here[place] = Configuration(own)
        site = _here[place]
        made = hub(site.policy)
        made.changed = site.changed
        return made


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
        for place in [each for each in _here if each[0] == os.getpid()]:
            del _here[place]
        for key in [each for each in _hubs if each[0] == os.getpid()]:
            _hubs.pop(key).close()
