"""``jupyter hpcctr COMMAND``: the entry point, and the one place where errors become words and a status."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .. import __version__
from ..errors import HpcctrError
from . import cluster, images, kernelspec, plan


def parser() -> argparse.ArgumentParser:
    """Return the whole command line's parser."""
    top = argparse.ArgumentParser(prog="jupyter hpcctr", description="Jupyter kernels inside OCI images on HPC nodes.")
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for each in (kernelspec, plan, images, cluster):
        each.register(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    int
        0, or 1 after an error whose message and hint went to standard error, or argparse's 2.
    """
    arguments = parser().parse_args(argv)
    try:
        return int(arguments.func(arguments))
    except HpcctrError as error:
        sys.stderr.write(f"{error.stage}: {error.message}\n")
        if error.hint:
            sys.stderr.write(f"  what to do: {error.hint}\n")
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"system: {where}{error.strerror or error}\n")
        if error.filename:
            sys.stderr.write("  what to do: see that this place is there, is yours and has room, or name another\n")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
