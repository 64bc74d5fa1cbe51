"""Whether an image's own CUDA driver library is to be used in place of the node's (CUDA, "Forward Compatibility").

Images of CUDA have in ``/usr/local/cuda/compat`` a libcuda for nodes whose driver is older than their CUDA. The library
says in a note for which drivers it is made. The rule is that of nvidia-container-toolkit's hook ``enable-cuda-compat``.
"""

from __future__ import annotations

import json
import re
import struct
from dataclasses import dataclass

from .elf import read_section

DIRECTORY = "/usr/local/cuda/compat"
_SECTION = ".note.cuda.fwd_compatibility"
_OWNER = b"NVIDIA Corporation"
_NAME = re.compile(r"libcuda\.so\.(\d{1,6}(?:\.\d{1,6}){1,2})")


@dataclass(frozen=True)
class Note:
    """What a compatibility library says: the CUDA it is of, and the drivers, by major version, it is made for."""

    cuda: str
    drivers: tuple[int, ...]


def read_note(path: str) -> Note | None:
    """Return the note of a compatibility library; None where it has none that can be read.

    Raises
    ------
    ElfError
        If the file is no valid ELF file.
    OSError
        If it cannot be read.
    """
    data = read_section(path, _SECTION)
    if len(data) < 12:
        return None
    owner_size, size, _ = struct.unpack_from("=III", data)
    owner = data[12 : 12 + owner_size].rstrip(b"\0")
    for align in (4, 8):  # the text begins where the owner ends, rounded up to the section's alignment
        begins = 12 + -(-owner_size // align) * align
        text = data[begins : begins + size].strip(b"\0")
        if owner == _OWNER and text.startswith(b"{"):
            return _parsed(text)
    return None


def _parsed(text: bytes) -> Note | None:
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError):
        return None
    drivers = facts.get("Driver")
    if not isinstance(drivers, list):
        return None
    return Note(str(facts.get("CUDA Version", "")), tuple(each for each in drivers if isinstance(each, int)))


def wants_compat(name: str, driver: str, note: Note | None) -> bool:
    """Return whether an image's compatibility library is to come before the node's.

    Parameters
    ----------
    name : str
        The library's file name, ``libcuda.so.575.51.03``.
    driver : str
        The version of the node's driver.
    note : Note, optional
        What the library says. Without it, it is used if its major version is newer.
    """
    match = _NAME.fullmatch(name)
    own, host = _numbers(match[1]) if match else (), _numbers(driver)
    if not own or not host:
        return False
    if note is None:
        return own[0] > host[0]
    return host[0] in note.drivers and own > host


def _numbers(version: str) -> tuple[int, ...]:
    found = re.fullmatch(r"\d{1,6}(?:\.\d{1,6}){1,2}", version)
    return tuple(map(int, version.split("."))) if found else ()
