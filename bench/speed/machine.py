"""The machine that is measured on: one core or GPU of it, as a worker has, or all of it, as a command or a peer has."""

import contextlib
import importlib.metadata
import os
import platform
import subprocess
import sys
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
        megabytes: The most that it, or one of the processes that it started, held at once.
    """

    said: str
    seconds: float
    megabytes: float


def command(*arguments: str, cache: Path) -> Command:
    """Run one of this project's commands as a person does, with a compilation cache of its own."""
    with whole_machine():
        begun = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "bench", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "VAE_JAX_CACHE": str(cache)},
        )  # fmt: skip
        assert process.stdout is not None
        with process.stdout:
            said = process.stdout.read()
        # The system tells of a process that has ended, and of those that it waited for, once.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"python -m bench {' '.join(arguments)} ended with {process.returncode}: {said}")
    return Command(said, seconds, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6)


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
