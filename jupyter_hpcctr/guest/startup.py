"""A start-up cache: the code of all modules that a kernel imports, in one file.

A kernel's start opens some thousand files. On a SquashFS served by FUSE each costs several round trips
to the server; read from one file they cost none. The image cannot change under its digest, so what was
recorded at one start is right for all later ones. Modules outside of the image are never recorded, and
directories of ``sys.path`` that are not the image's keep their precedence.

The file holds code and is trusted like ``~/.ipython``: it must be the user's own and writable by nobody
else, or it is ignored. It is a marshalled tuple ``(stamp, modules, libraries)``; a stamp of another
interpreter is ignored too, and whoever names the file names it after the image's digest.

Only what every interpreter has in memory is imported here: importlib.util alone would bring in thirty
modules, one by one, from the image.
"""

from __future__ import annotations

import _frozen_importlib_external as external
import marshal
import os
import stat
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType

    Entry = tuple[str, bool, "bytes | None"]
    """Origin, whether it is a package, and the marshalled code (None for an extension module)."""
    Cache = tuple[dict[str, Entry], list[str]]
    """Modules by name, and the shared libraries that they brought in."""

LIMIT_BYTES = 64 * 1024 * 1024
LEFT_S = 3600.0


class _Loader(external.SourceFileLoader):
    """Loads recorded code; source text, data and resources still come from the image."""

    def __init__(self, fullname: str, path: str, code: bytes) -> None:
        super().__init__(fullname, path)
        self._recorded = code

    def get_code(self, fullname: str) -> CodeType | None:
        code: CodeType = marshal.loads(self._recorded)  # noqa: S302  (the user's own file, see load)
        return code


class Finder:
    """A meta path finder over recorded modules (importlib.abc.MetaPathFinder)."""

    def __init__(self, modules: dict[str, Entry], image: int) -> None:
        self.modules = modules
        self.image = image
        self._devices: dict[str, int | None] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the recorded module's spec, or None where the usual finders must look."""
        entry = self.modules.get(fullname)
        if entry is None:
            return None
        origin, is_package, code = entry
        directory = os.path.dirname(origin)
        home = os.path.dirname(directory) if is_package else directory
        before = self._before(sys.path if path is None else path, home)
        if before is None or (before and external.PathFinder.find_spec(fullname, before) is not None):
            return None
        return external.spec_from_file_location(
            fullname,
            origin,
            loader=external.ExtensionFileLoader(fullname, origin) if code is None else _Loader(fullname, origin, code),
            submodule_search_locations=[directory] if is_package else None,
        )

    def _before(self, path: Sequence[str], home: str) -> list[str] | None:
        # The directories that come before the module's own and may have got one of the same name;
        # None where its own is not on the path at all.
        places = list(path)
        if home not in places:
            return None
        return [place for place in places[: places.index(home)] if not self._is_image(place)]

    def _is_image(self, place: str) -> bool:
        if place == "":  # the working directory, whichever it is at the time
            return False
        if place not in self._devices:
            self._devices[place] = _device(place)
        return self._devices[place] in (self.image, None)


def install(path: str) -> bool:
    """Serve imports from the cache at ``path``; return whether there is a valid one."""
    image = image_device()
    cache = None if image is None else load(path)
    if image is None or cache is None:
        return False
    modules, libraries = cache
    sys.meta_path.insert(0, Finder(modules, image))
    for library in libraries:
        _read_ahead(library)
    return True


def image_device(mountinfo: str = "/proc/self/mountinfo") -> int | None:
    """Return the device of the image, None where it is not one that nobody can change.

    A directory has the device of its file system, and so may the user's own files.
    """
    with open(mountinfo, encoding="utf-8", errors="surrogateescape") as file:
        roots = [line.partition(" - ")[2].split()[0] for line in file if line.split()[4] == "/"]  # proc(5)
    if not roots or roots[-1].partition(".")[0] not in ("fuse", "squashfs"):
        return None
    return _device("/")


def load(path: str) -> Cache | None:
    """Read a cache; None where there is none that is the user's own and this interpreter's."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode) or state.st_uid != os.geteuid() or state.st_mode & 0o022:
            return None
        try:
            found, modules, libraries = marshal.loads(file.read())  # noqa: S302  (owner and mode: see above)
        except (EOFError, ValueError, TypeError):
            return None
    return (modules, libraries) if found == stamp() else None


def record(path: str, *, delay_s: float = 0.0) -> bool:
    """Write what is imported by now from the image to ``path``; return whether it was written."""
    time.sleep(delay_s)
    modules: dict[str, Entry] = {}
    image, size = image_device(), 0
    if image is None:
        return False
    for name, module in list(sys.modules.items()):
        entry = _entry(name, module, image)
        if entry is not None and size < LIMIT_BYTES:
            modules[name] = entry
            size += len(entry[2] or b"")
    return write(path, (modules, _libraries(image)))


def write(path: str, cache: Cache) -> bool:
    """Write a cache for this interpreter, whole or not at all; return whether it was written."""
    new = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        _clear_up(path)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as file:
            file.write(marshal.dumps((stamp(), *cache)))
        os.replace(new, path)
    except OSError:  # a full disk is no reason to disturb the user: the next start tries again
        _remove(new)
        return False
    return True


def _clear_up(path: str) -> None:
    """Remove what kernels left that were ended while they wrote; writing takes a moment, not an hour."""
    directory, name = os.path.split(path)
    for other in os.listdir(directory):
        begun = os.path.join(directory, other)
        if other.startswith(f"{name}."):
            _remove(begun, before=time.time() - LEFT_S)


def _remove(path: str, *, before: float = float("inf")) -> None:
    try:
        if os.lstat(path).st_mtime < before:
            os.unlink(path)
    except OSError:  # it is not there, or somebody else's
        return


def stamp() -> tuple[str, str, bytes, int]:
    """Return what must be the same at the recording and at the use, besides the image."""
    return (sys.version, sys.prefix, external.MAGIC_NUMBER, sys.flags.optimize)


def _entry(name: str, module: ModuleType, image: int) -> Entry | None:
    spec = getattr(module, "__spec__", None)
    if spec is None or spec.name != name or not spec.origin or _device(spec.origin) != image:
        return None
    loader, places = spec.loader, spec.submodule_search_locations
    if places is not None and list(places) != [os.path.dirname(spec.origin)]:
        return None
    if type(loader) is external.ExtensionFileLoader:
        return (spec.origin, places is not None, None)
    if type(loader) is not external.SourceFileLoader:
        return None
    try:
        return (spec.origin, places is not None, marshal.dumps(loader.get_code(name)))
    except (OSError, ImportError, SyntaxError, ValueError):
        return None


def _libraries(image: int) -> list[str]:
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        paths = {line.split(maxsplit=5)[5].rstrip("\n") for line in maps if ".so" in line}
    return sorted(path for path in paths if _device(path) == image)


def _read_ahead(path: str) -> None:
    # The kernel reads in the background what the dynamic linker would fault in page by page.
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_WILLNEED)
    finally:
        os.close(descriptor)


def _device(path: str) -> int | None:
    try:
        return os.stat(path).st_dev
    except OSError:
        return None
