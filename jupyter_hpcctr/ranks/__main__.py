"""``python -m jupyter_hpcctr.ranks CONFIG_FILE``: the hub. ``… --node``: another node, told by standard input."""

import json
import logging
import sys

from ..agent import room


def main(argv: list[str]) -> int:
    """Be the hub, or a node."""
    if argv[1:] == ["--node"]:
        from .node import NodeProcess

        logging.basicConfig(level=logging.INFO, format="hpcctr node: %(message)s", stream=sys.stderr)
        return NodeProcess(json.loads(sys.stdin.read())).run()
    from .config import Config
    from .hub import Hub

    logging.basicConfig(level=logging.INFO, format="hpcctr ranks: %(message)s", stream=sys.stderr)
    return Hub(Config(**json.loads(room.read_private(argv[1])))).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv))
