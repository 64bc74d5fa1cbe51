"""The package of an engine that is not ours, which goes with a job as our own code does."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

from ..errors import EngineError

MOST_BYTES = 4_000_000


def sources(engine: str, own: str) -> Iterator[tuple[str, bytes]]:
    """Yield the Python files of an engine's top-level package, by their paths as they are imported, in order.

    Parameters
    ----------
    engine : str
        ``package.module:Class``; "" for none.
    own : str
        The package of which nothing is yielded.

    Raises
    ------
    EngineError
        They are not files, or too many.
    """
    top = engine.partition(":")[0].partition(".")[0]
    if top in ("", own):
        return
    total = 0
    found = {name: path.read_bytes() for name, path in _files(top)}
    directories = {name.rpartition("/")[0] for name in found} - {""}
    # An archive has no packages without this file (zipimport), as directories have (PEP 420).
    found = {f"{directory}/__init__.py": b"" for directory in directories} | found
    for name, data in sorted(found.items()):
        total += len(data)
        if total > MOST_BYTES:
            raise EngineError(
                f"the package {top!r} of the engine is larger than {MOST_BYTES // 1_000_000} MB, which a job carries",
                hint="put the engine into a package of its own",
                field="engine",
            )
        yield name, data


def _files(top: str) -> Iterator[tuple[str, Path]]:
    spec = importlib.util.find_spec(top)
    places = [] if spec is None else list(spec.submodule_search_locations or ())
    for place in map(Path, places):
        for path in sorted(place.rglob("*.py")):
            yield f"{top}/{path.relative_to(place).as_posix()}", path
    if not places:
        origin = "" if spec is None else spec.origin or ""
        if not origin.endswith(".py"):
            raise EngineError(f"the engine's module {top!r} is no Python file, which a job could carry", field="engine")
        yield f"{top}.py", Path(origin)
