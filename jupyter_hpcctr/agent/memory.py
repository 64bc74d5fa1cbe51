"""Memory that a flood of output has taken and is not needed any more."""

from __future__ import annotations


def give_back() -> None:
    """Return what is free to the system, where the C library can (malloc_trim(3), glibc)."""
    import ctypes  # here: it takes milliseconds, which only a flood is worth

    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return
