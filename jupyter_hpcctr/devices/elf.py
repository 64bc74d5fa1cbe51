"""What a program or library says of itself in ELF: its name, what it needs, and which versions of that.

Read are the program headers, the dynamic section and the two sections of symbol versions (elf(5); "Symbol Versioning"
of the Linux Standard Base). Files are taken as they come, also from images: every read is of a bounded size and inside
the file, and every chain is followed for a bounded number of links.
"""

from __future__ import annotations

import os
import re
import stat
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3  # p_type
_NEEDED, _STRTAB, _SONAME = 1, 5, 14  # d_tag
_VERDEF, _VERDEFNUM, _VERNEED, _VERNEEDNUM = 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF
_RUNPATHS = (15, 29)
_MACHINES = {3: "i386", 21: "ppc64le", 22: "s390x", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64"}
_MOST_BYTES = 1 << 20  # of one table
_MOST_LINKS = 10_000  # of all chains of versions of a file, and of a dynamic section
_MOST_NAME = 4096
_GLIBC = re.compile(r"GLIBC_(\d{1,4})\.(\d{1,4})(?:\.\d+)?")
_RELR = "GLIBC_ABI_DT_RELR"  # glibc 2.36 has it


class ElfError(Exception):
    """A file that begins as ELF and does not go on as that; the text is one sentence with its path."""


@dataclass(frozen=True)
class Elf:
    """What is read of an ELF file.

    Attributes
    ----------
    path : str
        The file.
    bits : int
        32 or 64.
    machine : str
        The processor, as ``uname -m`` has it (``x86_64``); ``em-N`` for one without a name here.
    soname : str
        The library's own name; nothing where it has none.
    needed : tuple of str
        The libraries that are loaded with it.
    runpath : tuple of str
        The directories where it has them looked for (RPATH and RUNPATH).
    wants : Mapping
        The names of the versions wanted of each library.
    defines : tuple of str
        The names of the versions that it has.
    interpreter : str
        The program that loads it; a library, and a statically linked program, have none.
    """

    path: str
    bits: int
    machine: str
    soname: str = ""
    needed: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    wants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    defines: tuple[str, ...] = ()
    interpreter: str = ""


def read_elf(path: str) -> Elf | None:
    """Return what an ELF file says; None for a file of another format, and for what is no file.

    Raises
    ------
    ElfError
        If it is cut off, or says what cannot be.
    OSError
        If it cannot be read.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):  # a socket cannot even be opened
        return None
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode) or os.pread(file, 4, 0) != b"\x7fELF":
            return None
        return _Reader(file, status.st_size, path).elf()
    finally:
        os.close(file)


def newest_glibc(elf: Elf) -> tuple[int, int]:
    """Return the newest version of glibc that a file wants, (2, 34) for ``GLIBC_2.34``; (0, 0) where it wants none.

    ``GLIBC_PRIVATE`` is no version. ``GLIBC_ABI_DT_RELR`` is one that glibc 2.36 was the first to have.
    """
    return max((_version(name) for names in elf.wants.values() for name in names), default=(0, 0))


def has_glibc(elf: Elf) -> tuple[int, int]:
    """Return the newest version of glibc that a file has: that of a ``libc.so.6``; (0, 0) for other files."""
    return max(map(_version, elf.defines), default=(0, 0))


def _version(name: str) -> tuple[int, int]:
    match = _GLIBC.fullmatch(name)
    if match:
        return int(match.group(1)), int(match.group(2))
    return (2, 36) if name == _RELR else (0, 0)


class _Reader:
    """Reads one open file."""

    def __init__(self, file: int, size: int, path: str):
        self._file, self._size, self._path = file, size, path
        self._loads: list[tuple[int, int, int]] = []  # address, offset, size in the file
        self._strings = 0
        self._left = _MOST_LINKS
        kind, order = self._bytes(4, 2)
        if kind not in (1, 2) or order not in (1, 2):
            raise self._error("its class or byte order is unknown")
        self._wide = kind == 2
        self._order = "<" if order == 1 else ">"

    def elf(self) -> Elf:
        machine = self._fields(18, "H")[0]
        segments = list(self._segments())
        self._loads = [(address, offset, size) for kind, offset, address, size in segments if kind == _LOAD]
        tags: dict[int, list[int]] = {}
        for kind, offset, _, size in segments:
            if kind == _DYNAMIC:
                for tag, value in self._dynamic(offset, size):
                    tags.setdefault(tag, []).append(value)
        loader = next((segment for segment in segments if segment[0] == _INTERPRETER), None)
        if _STRTAB in tags:
            self._strings = self._offset(tags[_STRTAB][0])
        return Elf(
            path=self._path,
            bits=64 if self._wide else 32,
            machine=_MACHINES.get(machine, f"em-{machine}"),
            soname=next(map(self._string, tags.get(_SONAME, [])[:1]), ""),
            needed=tuple(map(self._string, tags.get(_NEEDED, []))),
            runpath=tuple(self._string(value) for tag in _RUNPATHS for value in tags.get(tag, [])),
            wants=self._wants(tags),
            defines=self._defines(tags),
            interpreter="" if loader is None else self._text(loader[1]),
        )

    def _error(self, what: str) -> ElfError:
        return ElfError(f"{self._path}: this is no valid ELF file ({what})")

    def _bytes(self, offset: int, size: int) -> bytes:
        if size > _MOST_BYTES or offset + size > self._size:
            raise self._error("it ends too early, or a table is too large")
        data = os.pread(self._file, size, offset)
        if len(data) != size:
            raise self._error("it ends too early")
        return data

    def _fields(self, offset: int, format_: str) -> tuple[int, ...]:
        format_ = self._order + format_
        return struct.unpack(format_, self._bytes(offset, struct.calcsize(format_)))

    def _segments(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield type, offset, address and size in the file of each segment."""
        start = self._fields(32, "Q")[0] if self._wide else self._fields(28, "I")[0]
        size, count = self._fields(54 if self._wide else 42, "HH")
        least = 56 if self._wide else 32
        if count and size < least:
            raise self._error("its program headers are too small")
        table = self._bytes(start, size * count)
        for at in range(0, size * count, size or 1):
            if self._wide:
                kind, _, offset, address, _, length = struct.unpack_from(self._order + "IIQQQQ", table, at)
            else:
                kind, offset, address, _, length = struct.unpack_from(self._order + "IIIII", table, at)
            yield kind, offset, address, length

    def _dynamic(self, offset: int, size: int) -> Iterator[tuple[int, int]]:
        entry = struct.Struct(self._order + ("qQ" if self._wide else "iI"))
        table = self._bytes(offset, size - size % entry.size)
        for tag, value in entry.iter_unpack(table):
            if not tag:
                return
            self._count()
            yield tag & 0xFFFFFFFF, value

    def _offset(self, address: int) -> int:
        for begins, offset, size in self._loads:
            if begins <= address < begins + size:
                return offset + address - begins
        raise self._error("an address is in no segment")

    def _text(self, offset: int) -> str:
        if offset >= self._size:
            raise self._error("a name is out of the file")
        data, end, _ = os.pread(self._file, _MOST_NAME, offset).partition(b"\0")
        if not end:
            raise self._error("a name has no end")
        return data.decode("utf-8", "replace")

    def _string(self, value: int) -> str:
        if not self._strings:
            raise self._error("it has no table of names")
        return self._text(self._strings + value)

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise self._error("a chain or table is too long")

    def _chain(self, offset: int, count: int, format_: str) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield offset and fields of each link; the last field says how far the next is, 0 after the last."""
        for _ in range(count):
            self._count()
            fields = self._fields(offset, format_)
            yield offset, fields
            if not fields[-1]:
                return
            offset += fields[-1]

    def _wants(self, tags: Mapping[int, list[int]]) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        if _VERNEED not in tags:
            return found
        number = tags.get(_VERNEEDNUM, [0])[0]
        for at, (_, count, name, first, _) in self._chain(self._offset(tags[_VERNEED][0]), number, "HHIII"):
            wanted = tuple(self._string(aux[3]) for _, aux in self._chain(at + first, count, "IHHII"))
            library = self._string(name)
            found[library] = found.get(library, ()) + wanted
        return found

    def _defines(self, tags: Mapping[int, list[int]]) -> tuple[str, ...]:
        if _VERDEF not in tags:
            return ()
        number = tags.get(_VERDEFNUM, [0])[0]
        found = []
        for at, (_, flags, _, count, _, first, _) in self._chain(self._offset(tags[_VERDEF][0]), number, "HHHHIII"):
            if count and not flags & 1:  # VER_FLG_BASE is the file's own name
                self._count()
                found.append(self._string(self._fields(at + first, "II")[0]))
        return tuple(found)
