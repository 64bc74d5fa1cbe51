"""``python agent.zip ranks TASK_FILE``: the hub. ``… --node``: another node, told by standard input."""

import logging
import sys
from collections.abc import Generator

from ..agent import room
from ..protocol import codec


def main(argv: list[str]) -> int:
    """Be the hub, or a node."""
    if argv[1:] == ["--node"]:
        from ..protocol.tasks import NodeTask
        from .node import NodeProcess

        logging.basicConfig(level=logging.INFO, format="hpcctr node: %(message)s", stream=sys.stderr)
        return NodeProcess(codec.from_json(NodeTask, sys.stdin.read())).run()
    from .config import Config
    from .found import look

    logging.basicConfig(level=logging.INFO, format="hpcctr ranks: %(message)s", stream=sys.stderr)
    config = codec.from_json(Config, room.read_private(argv[1]))
    looking = begun(look(config))
    from . import strays
    from .hub import Hub

    strays.adopt()
    return Hub(config, looking).run()


def begun(looking: Generator[None, None, dict[str, str]]) -> Generator[None, None, dict[str, str]]:
    """Let the search for MPI begin before all the imports: whoever starts a hub is about to ask for ranks."""
    found: dict[str, str] | None = None
    try:
        next(looking)
    except StopIteration as stop:
        found = stop.value

    def rest() -> Generator[None, None, dict[str, str]]:
        return found if found is not None else (yield from looking)

    return rest()


if __name__ == "__main__":
    sys.exit(main(sys.argv))
