"""Checks in place of a crash: whether what is mounted into an image can be loaded there. Pure functions on facts."""

from __future__ import annotations

import re


def glibc(image: str, wanted: tuple[int, int], library: str) -> str:
    """Say why a library cannot be loaded in an image, "" where it can.

    Parameters
    ----------
    image : str
        What the image's C library calls itself, ``glibc 2.36`` (confstr(3), "_CS_GNU_LIBC_VERSION"); "" for another.
    wanted : tuple of int
        Newest version of glibc that a library wants by its symbols, (0, 0) for none.
    library : str
        Name of that library.
    """
    if wanted == (0, 0):
        return ""
    needs = ".".join(str(part) for part in wanted)
    found = re.fullmatch(r"glibc (\d+)\.(\d+)(?:\.\d+)*\s*", image)
    force = "(set HPCCTR_FORCE=1 among the kernel's variables to start it all the same)"
    if not found:
        return (
            f"the node's {library} needs glibc {needs}, and the image has another C library: choose an image with "
            f"glibc {force}"
        )
    has = (int(found[1]), int(found[2]))
    if has >= wanted:
        return ""
    return (
        f"the node's {library} needs glibc {needs}, and the image has {has[0]}.{has[1]}: choose an image with a newer "
        f"system {force}"
    )
