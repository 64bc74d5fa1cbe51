"""The Jupyter servers of this user that run here, and whether the site's configuration is younger than they are."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
from collections.abc import Iterator
from pathlib import Path

from jupyter_core.paths import jupyter_runtime_dir

from .. import config
from ..launch.reaper import Finding


def behind() -> list[Finding]:
    """Return a finding for each server that was started before the site's configuration was written last."""
    written = dict(_written())
    found = []
    for began, pid, url in _running():
        if younger := [path for path, at in written.items() if at > began]:
            names = ", ".join(str(path) for path in younger)
            when = datetime.datetime.fromtimestamp(began).astimezone().strftime("%Y-%m-%d %H:%M")
            server = f"the Jupyter server {pid} at {url} runs since {when}"
            what = f"{server} and does not use what was written later: {names}"
            found.append(Finding("configuration", what, "restart it to use the site's present configuration"))
    return found


def _written() -> Iterator[tuple[Path, float]]:
    for path in config.files():
        with contextlib.suppress(OSError):
            yield path, path.stat().st_ctime


def _running() -> Iterator[tuple[float, int, str]]:
    # Not by jupyter_server's list_running_servers: that removes the records of servers on other hosts.
    for path in sorted(Path(jupyter_runtime_dir()).glob("jpserver-*.json")):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            said = json.loads(path.read_text(encoding="utf-8"))
            pid, url = int(said["pid"]), str(said["url"])
            if Path(f"/proc/{pid}").stat().st_uid == os.getuid():
                yield path.stat().st_mtime, pid, url
