"""What this process holds, and what it gives back of it."""

import contextlib
import ctypes
import os
from pathlib import Path

_STATUS = Path("/proc/self/statm")

# `M_ARENA_MAX` of glibc's malloc.h.
_ARENAS = -8


def held() -> int:
    """Resident memory of this process in bytes; 0 where the system does not tell."""
    return int(_STATUS.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if _STATUS.exists() else 0


def give_back() -> None:
    """What has been freed is the system's again only when glibc is told: compiling one program leaves 300 MB behind."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def use_one_arena() -> None:
    """For a process of one core, whose threads do not wait for each other's heap: else 70 MB more are held."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_ARENAS, 1)
