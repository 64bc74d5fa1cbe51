"""The agent that a job carries: everything of this package that runs in a job, as one archive beside the plan.

A job may wait for hours in which this package is upgraded or removed. So the archive is made once for each content of
the package and kept in the state directory by its digest. A job's directory has a link to it, and a job imports nothing
else of ours. What launchers run on the host by its path lies beside the archive; the agent lays the guest's files out
on its node (``agent.unpacked``), from one entry of the archive.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import io
import marshal
import os
import secrets
import shutil
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path, PurePosixPath
from types import CodeType

from ..agent import unpacked
from ..core.facts import ARCHIVE
from ..edge import files
from . import outside

DIRECTORY = "agents"
"""Below the state directory."""
LINK = "agent"
"""In a job's directory; the archive is behind it."""
ROOMS = ("agent", "delivery", "devices", "engines", "enginekit", "guest", "protocol", "ranks")
"""What of this package runs in a job; it imports nothing else but the standard library and pyzmq."""
LEFT_OUT = ("ranks/plain.py",)
"""What is in these rooms for kernels that nobody has launched: it does not run in a job."""
GUEST = "guest/"
EARLY = (
    "__init__.py", "boot.py", "forks.py", "loading.py", "startup.py",
    "checkpoint/__init__.py", "checkpoint/door.py", "checkpoint/magic.py", "checkpoint/manual.py", "checkpoint/tee.py",
    "mpirun/__init__.py", "mpirun/door.py", "mpirun/magic.py", "mpirun/manual.py",
)  # fmt: skip
"""What of the guest a kernel reads while it starts."""
HOST_TOO = (
    "guest/__init__.py", "guest/environment.py", "guest/wire.py", "guest/mpirun/__init__.py",
    "guest/mpirun/offspring.py",
)  # fmt: skip
"""What of the guest the agent and the hub import, too: it is compiled for them."""
BY_PATH = (
    "agent/logfile.py", "guest/environment.py", "guest/mpirun/__init__.py", "guest/mpirun/enter.py",
    "guest/mpirun/offspring.py",
)  # fmt: skip
"""What the host's Python runs by its path: the job's log, and the wrapper of ranks with what that imports."""
OLD_S = 3600.0
"""A younger archive may be of a launch that is just beginning."""
_ROOT = Path(__file__).parents[1]
_PACKAGE = _ROOT.name
_DATE = (1980, 1, 1, 0, 0, 0)
_MAIN = f'''"""Run a room of the archive: ``python agent.zip ROOM WORDS...``."""

import importlib
import sys

room = sys.argv.pop(1)
sys.exit(importlib.import_module(f"{_PACKAGE}.{{room}}.__main__").main(sys.argv))
'''


@dataclass(frozen=True)
class Archive:
    """An archive's bytes, and what names them."""

    data: bytes
    digest: str


def sources() -> Iterator[str]:
    """Yield the files that a job carries, by their paths in the package, in order."""
    yield "__init__.py"
    yield "errors.py"
    for room in ROOMS:
        for path in sorted((_ROOT / room).rglob("*.py")):
            name = path.relative_to(_ROOT).as_posix()
            if name not in LEFT_OUT:
                yield name


@functools.cache
def archive(engine: str) -> Archive:
    """Make the archive of this process's package: sources, and their code for this Python. Blocking.

    The same content gives the same bytes, wherever it is installed. Another Python compiles the sources. With an
    ``engine`` (``package.module:Class``) of another package, that one is in it, too.

    Raises
    ------
    EngineError
        Its package cannot go with a job.
    """
    out = io.BytesIO()
    guest: dict[str, dict[str, bytes]] = {unpacked.EARLY: {}, unpacked.LATER: {}}
    with zipfile.ZipFile(out, "w") as made:
        _add(made, "__main__.py", _MAIN.encode())
        for name in sources():
            path = _ROOT / name
            source, code = path.read_bytes(), SourceFileLoader(name, str(path)).get_code(name)  # compiled once
            assert code is not None  # noqa: S101  (there is a source)
            compiled = _compiled(code, f"{_PACKAGE}/{name}")
            _add(made, f"{_PACKAGE}/{name}", source)
            if name.startswith(GUEST) and name != f"{GUEST}{unpacked.HOLDER}":
                inside = PurePosixPath(name.removeprefix(GUEST))
                entry = guest[unpacked.EARLY if str(inside) in EARLY else unpacked.LATER]
                entry[str(inside)] = source
                cached = f"{inside.stem}.{sys.implementation.cache_tag}.pyc"
                entry[str(inside.parent / "__pycache__" / cached)] = compiled
            if not name.startswith(GUEST) or name in HOST_TOO:
                _add(made, f"{_PACKAGE}/{name}c", compiled)
        for part, entry in guest.items():
            _add(made, part, marshal.dumps(entry, 2))
        for name, source in outside.sources(engine, _PACKAGE):
            _add(made, name, source)
    data = out.getvalue()
    return Archive(data, hashlib.sha256(data).hexdigest()[:32])


def _add(made: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, _DATE)
    info.external_attr = 0o600 << 16
    info.compress_type = zipfile.ZIP_DEFLATED if name.endswith(".py") else zipfile.ZIP_STORED  # what is read at a start
    made.writestr(info, data)


def _compiled(code: CodeType, name: str) -> bytes:
    """Return a .pyc that is not compared with its source (PEP 552), and knows nothing of where that was."""
    head = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + bytes(8)
    renamed = _renamed(code, name)
    try:
        return head + marshal.dumps(renamed, 2)  # later formats depend on who else holds a value
    except ValueError:  # code of Python 3.14 has constants that only those know
        return head + marshal.dumps(renamed)


def _renamed(code: CodeType, name: str) -> CodeType:
    consts = tuple(_renamed(each, name) if isinstance(each, CodeType) else each for each in code.co_consts)
    return code.replace(co_filename=name, co_consts=consts)


def give(state_dir: Path, job_dir: Path, engine: str = "") -> None:
    """Give a job's directory, which is there, its archive, with the engine's package. Blocking.

    Raises
    ------
    EngineError
        As ``archive``.
    OSError, UnsafePath
        The state directory cannot be written.
    """
    made = archive(engine)
    home = files.private_dir(state_dir / DIRECTORY)
    with contextlib.suppress(FileExistsError):
        # First of all: who removes archives looks for links once more when it has taken one away.
        (job_dir / LINK).symlink_to(f"../../{DIRECTORY}/{made.digest}")
    place = home / made.digest
    try:
        os.utime(place)
    except FileNotFoundError:
        _lay_out(made, home, place)


def _lay_out(made: Archive, home: Path, place: Path) -> None:
    new = home / f".new-{secrets.token_hex(6)}"
    new.mkdir(mode=0o700)
    try:
        _write(new / ARCHIVE, made.data)
        with zipfile.ZipFile(io.BytesIO(made.data)) as found:
            for name in BY_PATH:
                (new / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _write(new / name, found.read(f"{_PACKAGE}/{name}"))
        try:
            new.rename(place)
        except OSError:
            if not place.is_dir():  # else another process was faster
                raise
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _write(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb") as out:
        out.write(data)


def sweep(state_dir: Path) -> list[Path]:
    """Remove the archives that no job's directory has a link to, but young ones; return them. Blocking."""
    removed = []
    try:
        found = sorted((state_dir / DIRECTORY).iterdir())
    except FileNotFoundError:
        return []
    for place in found:
        try:
            young = time.time() - place.lstat().st_mtime < OLD_S
        except FileNotFoundError:
            continue
        if young or place.name in _linked(state_dir):
            continue
        if _taken_away(place, state_dir):
            removed.append(place)
    return removed


def _taken_away(place: Path, state_dir: Path) -> bool:
    if place.name.startswith("."):  # of a process that was killed
        shutil.rmtree(place, ignore_errors=True)
        return True
    gone = place.with_name(f".old-{secrets.token_hex(6)}")
    try:
        place.rename(gone)
    except FileNotFoundError:  # another process does the same
        return False
    if place.name in _linked(state_dir):  # a launch has come meanwhile, and may have found it there
        with contextlib.suppress(OSError):  # it has found it gone, and made another
            gone.rename(place)
            return False
    shutil.rmtree(gone, ignore_errors=True)
    return True


def _linked(state_dir: Path) -> set[str]:
    """Return the digests of the archives that jobs have."""
    found = set()
    with contextlib.suppress(FileNotFoundError):
        for job in (state_dir / "jobs").iterdir():
            with contextlib.suppress(OSError):  # it goes this moment, or is none
                found.add((job / LINK).readlink().name)  # whether there is anything behind it or not
    return found
