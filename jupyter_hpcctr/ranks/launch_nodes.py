"""Starts the processes on other nodes, by the scheduler's own words."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from ..agent.children import Child
from .config import Config, filled


def start_nodes(config: Config, names: Sequence[str], invitation: Mapping[str, Any], log: str) -> Child:
    """Start one process on each of these nodes; what they must know, a secret among it, goes by standard input."""
    values = {
        "@RANKS@": len(names),
        "@NODES@": len(names),
        "@NODELIST@": ",".join(names),
        "@CPUS@": 1,
        "@PMI@": "none",
        "@OVERCOMMIT@": "",
        "@DIRECTORY@": "/",
    }
    words = [*filled(config.plan["node_step"], values), config.plan["python"], "-m", "jupyter_hpcctr.ranks", "--node"]
    told = {
        "plan": {name: config.plan[name] for name in ("run_dir", "env_file", "directories", "hold")},
        "env": dict(config.env),
        "image_env": dict(config.image_env),
        "pass_env": list(config.pass_env),
        "drop_env": list(config.drop_env),
        "dir_inside": "" if config.dir_inside == config.dir else config.dir_inside,  # without a container, its own
        "invitation": dict(invitation),
    }
    return Child(words, env=dict(os.environ), cwd="/", log=log, text=json.dumps(told))
