"""``python agent.zip ranks TASK_FILE``: the hub. ``… --node``: another node, told by standard input."""

import logging
import sys
from collections.abc import Generator

from ..agent import room
from ..protocol import codec
from ..protocol.ranks import RankPlan


def main(argv: list[str]) -> int:
    """Be the hub, or a node."""
    if argv[1:] == ["--node"]:
        from ..protocol.tasks import NodeTask
        from .node import NodeProcess

        logging.basicConfig(level=logging.INFO, format="hpcctr node: %(message)s", stream=sys.stderr)
        told = codec.from_json(NodeTask, sys.stdin.read())
        _spare_jobs(told.plan)
        return NodeProcess(told).run()
    from .config import Config
    from .found import look

    logging.basicConfig(level=logging.INFO, format="hpcctr ranks: %(message)s", stream=sys.stderr)
    config = codec.from_json(Config, room.read_private(argv[1]))
    looking = begun(look(config))
    from . import strays
    from .hub import Hub

    strays.adopt()
    _spare_jobs(config.plan)
    return Hub(config, looking).run()


def _spare_jobs(plan: RankPlan) -> None:
    from . import strays

    if plan.steps is not None:
        strays.spare_jobs(plan.steps.variables.job)


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
