"""``python agent.zip agent SECRET_FILE``: what a job runs."""

import logging
import sys
from collections.abc import Sequence

from ..protocol import codec
from ..protocol.values import AgentFile
from . import room
from .main import Agent

log = logging.getLogger("hpcctr.agent")


def main(argv: Sequence[str]) -> int:
    """Read the secret file that is named on the command line, and work."""
    logging.basicConfig(level=logging.INFO, format="hpcctr agent: %(message)s", stream=sys.stderr)
    try:
        config = codec.from_json(AgentFile, room.read_private(argv[1]))
    except (OSError, ValueError) as error:
        log.error("the launch's file cannot be read: %s", error)
        return 66
    return Agent(argv[1], config).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv))
