"""``jupyter hpcctr COMMAND``: the entry point, and the one place where errors become words and a status."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from .. import __version__
from ..errors import HpcctrError
from . import cluster, completion, devices, doctor, images, kernels, kernelspec, parts, plan


def parser() -> argparse.ArgumentParser:
    """Return the whole command line's parser."""
    top = argparse.ArgumentParser(
        prog="jupyter hpcctr", description="Jupyter kernels in OCI images on the compute nodes of a cluster."
    )
    top.add_argument("--version", action="version", version=f"jupyter_hpcctr {__version__}")
    parts.prints_help(top)
    commands = top.add_subparsers(title="commands", metavar="COMMAND")
    for each in (images, kernelspec, kernels, doctor, plan, devices, cluster, completion):
        each.register(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    int
        0, or 1 after an error whose message and hint went to standard error, or argparse's 2.
    """
    top = parser()
    if "_ARGCOMPLETE" in os.environ:  # a shell asks what may follow
        import argcomplete

        argcomplete.autocomplete(top)
    arguments = top.parse_args(argv)
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
            sys.stderr.write("  what to do: check that this path exists, is yours and has free space, or use another\n")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
