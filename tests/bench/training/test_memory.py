"""What a process holds, by the system's own word."""

import platform
import subprocess
import sys

import pytest

from bench.training import memory

# Threads that allocate, and glibc's own list of its heaps.
_THREADS = """
import ctypes, threading
from bench.training.memory import use_one_arena
{}
every = threading.Barrier(4)
def allocate():
    kept = [bytes(4096) for _ in range(100)]
    every.wait()
threads = [threading.Thread(target=allocate) for _ in range(4)]
for each in threads: each.start()
for each in threads: each.join()
c = ctypes.CDLL(None)
c.malloc_info(0, ctypes.c_void_p.in_dll(c, "stdout"))
c.fflush(None)
"""


def test_this_process_holds_something() -> None:
    assert memory.held() == 0 or memory.held() > 2**24


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="arenas are glibc's")
@pytest.mark.parametrize(("called", "one"), [("use_one_arena()", True), ("", False)])
def test_threads_of_a_worker_share_one_arena(called: str, one: bool) -> None:
    command = [sys.executable, "-c", _THREADS.format(called)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert (said.count("<heap nr=") == 1) is one
