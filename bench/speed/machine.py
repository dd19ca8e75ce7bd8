"""The machine that is measured on: one core or GPU of it, as a worker has, or all of it, as a command or a peer has."""

import contextlib
import importlib.metadata
import math
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bench.data.cache import cache
from bench.execution.process import configure_process
from bench.planning.identity import versions
from bench.training.machine import describe_device

_CAN_PIN = hasattr(os, "sched_setaffinity")
# As they were before `work_alone`.
_CORES = os.sched_getaffinity(0) if _CAN_PIN else set(range(os.cpu_count() or 1))
_XLA_FLAGS = os.environ.get("XLA_FLAGS")


def work_alone(device: str) -> None:
    """Make this process what a worker is, on `cpu` or `gpu`; too late once jax has started its backend."""
    core = min(_CORES) if _CAN_PIN and device == "cpu" else None
    configure_process(device, core, str(cache()))


@contextlib.contextmanager
def whole_machine() -> Iterator[None]:
    """Processes that are started within have all cores and default flags: a child inherits both from its parent."""
    ours = os.environ.pop("XLA_FLAGS", None)
    if _XLA_FLAGS is not None:
        os.environ["XLA_FLAGS"] = _XLA_FLAGS
    core = os.sched_getaffinity(0) if _CAN_PIN else set()
    if _CAN_PIN:
        os.sched_setaffinity(0, _CORES)
    try:
        yield
    finally:
        if _CAN_PIN:
            os.sched_setaffinity(0, core)
        if ours is not None:
            os.environ["XLA_FLAGS"] = ours


class Command(NamedTuple):
    """What a command came to.

    Attributes:
        said: What it printed.
        seconds: From its start to its end.
        megabytes: The most that it held at once.
        worker_megabytes: The most that one of the processes held that it started; 0 where it started none, or where
            the system does not tell.
    """

    said: str
    seconds: float
    megabytes: float
    worker_megabytes: float


def command(*arguments: str, cache: Path) -> Command:
    """Run one of this project's commands as a person does, with a compilation cache of its own."""
    with whole_machine():
        begun = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "bench", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "VAE_JAX_CACHE": str(cache)},
        )  # fmt: skip
        with _watched(process.pid) as peaks:
            said, _ = process.communicate()
        seconds = time.perf_counter() - begun
    if process.returncode:
        raise RuntimeError(f"python -m bench {' '.join(arguments)} ended with {process.returncode}: {said}")
    own = peaks.pop(process.pid, math.nan)
    return Command(said, seconds, own, max(peaks.values(), default=0.0))


@contextlib.contextmanager
def _watched(pid: int) -> Iterator[dict[int, float]]:
    """The most megabytes that a process and each of its children have held, by its id, while this is entered."""
    peaks: dict[int, float] = {}
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.2):
            for path in Path("/proc").glob("[0-9]*/status"):
                with contextlib.suppress(OSError, KeyError):
                    about = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
                    if pid in (int(about["Pid"]), int(about["PPid"])):
                        # In KiB, of a process that has not ended yet.
                        peaks[int(about["Pid"])] = int(about["VmHWM"].split()[0]) * 1024 / 1e6

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peaks
    finally:
        ended.set()
        thread.join()


def cores() -> int:
    """Of the whole machine, not of the part that this process keeps to."""
    return len(_CORES)


def take_core(number: int) -> None:
    """Keep this process to one of the machine's cores, as a worker is; before its libraries count them."""
    if _CAN_PIN:
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[number % len(cores)]})


def describe_machine() -> dict[str, Any]:
    """Processor, cores and versions, fit for JSON."""
    device = describe_device()
    found = {"python": platform.python_version(), **versions()}
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        found["torch"] = importlib.metadata.version("torch")
    system = f"{platform.system()} {platform.machine()}"
    return {"processor": device.name, "cores": len(_CORES), "system": system, "versions": found}
