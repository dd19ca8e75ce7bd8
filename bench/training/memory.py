"""What this process holds, and how it lets go of what it has compiled."""

import gc
import os
from pathlib import Path

import jax

from bench.training.programs import forget, give_back

_STATUS = Path("/proc/self/statm")


# After the last time that anything was let go, or where nothing was, at first.
_left: int | None = None


def let_go(more: int) -> None:
    """Give back what is free, and let go of all that has been compiled where this process holds so many bytes more.

    More than after the last time, that is; the first call only gives back. What is asked for again is traced, lowered
    and compiled again, or found in the persistent cache: so not after every piece of work, but when most of what is
    held is of no use to the next.
    """
    global _left
    give_back()
    if _left is not None and held() <= _left + more:
        return
    if _left is not None:
        jax.clear_caches()
        forget()
        gc.collect()
        give_back()
    _left = held()


def held() -> int:
    """Resident memory of this process in bytes; 0 where the system does not tell."""
    return int(_STATUS.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if _STATUS.exists() else 0
