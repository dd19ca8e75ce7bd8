"""Runs cells on a node of a Ray cluster, in the same kind of process as on one machine.

It is a child of Ray's worker, which may have started jax already; so a cell that hangs is ended and told of in the same
words, too.
"""

import atexit
import contextlib
import os
import platform
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.data.cache import cache
from bench.execution.device import Device
from bench.execution.executor import Failure, Outcome
from bench.execution.worker import POLL_SECONDS, Worker, outcome_of
from bench.planning.identity import packages, versions
from bench.planning.job import Job
from bench.results.stored.records import DeviceRecord, TimingRecord
from bench.training.cell import Ran


class TryAgainError(Exception):
    """Asks Ray to start a task again: a cell's process hung, died or found no memory."""

    def __init__(self, failure: Failure):
        super().__init__(failure)
        self.failure = failure


class NodeDiffersError(Exception):
    """A node would compute other numbers than this machine's plan says."""


@dataclass(frozen=True)
class NodeSetup:
    """All that a node needs to know beside the cells.

    Attributes:
        device: The device that the plan was made for.
        installed: Versions and digests of sources that the node must have too.
        xla_flags: What the person has set in XLA_FLAGS where the plan was made; figures depend on them.
        files: All files of the plugins, by their path where the plan was made: nodes share no disk.
        limit_seconds: How long one cell may take before its process is ended.
    """

    device: Device
    installed: dict[str, str]
    xla_flags: str
    files: dict[str, bytes]
    limit_seconds: float


def run_group(jobs: Sequence[Job], setup: NodeSetup) -> Iterator[Outcome | None]:
    """Run cells on a node, one after another.

    Ray knows by their number which items of a task it delivered before it started it again. So a cell gives as many
    items whatever becomes of it: None for each of its trainings, then its outcome.

    Raises:
        TryAgainError: If a cell may end otherwise in another process.
        NodeDiffersError: If this node would compute other numbers.
    """
    _require_same(setup.installed)
    with _written(setup.files) as folder, _worker(setup) as worker:
        for job in jobs:
            paths = _there(job.plugins, folder)
            future = worker.run(replace(job, plugins=paths), setup.limit_seconds)
            told = 0
            while not future.done():
                wait([future], timeout=POLL_SECONDS)
                count = worker.trainings()
                told += count
                # Not `yield from` a list: Ray sends into the generator, and a list takes nothing.
                for _ in range(count):
                    yield None
            outcome = _outcome(future, setup.limit_seconds)
            if isinstance(outcome, Failure):
                # The folder of these paths is gone when this is read: what is left is where the person has the file.
                outcome = replace(outcome, reason=outcome.reason.replace(str(folder), ""))
            if isinstance(outcome, Ran):
                _require_device(outcome.record.device, setup.device)
            for _ in range(job.most_trainings - told):
                yield None
            yield outcome


def time_on_node(job: Job, learning_rate: float, baseline: Job, setup: NodeSetup) -> TimingRecord | Failure:
    """Time a cell on a node; raises as `run_group` does."""
    _require_same(setup.installed)
    with _written(setup.files) as folder, _worker(setup) as worker:
        paths = _there(job.plugins, folder)
        there = (replace(job, plugins=paths), learning_rate, replace(baseline, plugins=paths))
        timing = _outcome(worker.time(*there, setup.limit_seconds), setup.limit_seconds)
    if not isinstance(timing, Failure):
        _require_device(timing.device, setup.device)
    return timing


def _outcome(future: "Future[Any]", limit_seconds: float) -> Any:
    outcome = outcome_of(future, limit_seconds)
    if isinstance(outcome, Failure) and outcome.again:
        raise TryAgainError(outcome)
    return outcome


def installed() -> dict[str, str]:
    """Versions of libraries and digests of sources here: equal on two machines, both compute the same numbers."""
    return {**versions(), **{f"sources of {name}": digest for name, digest in packages().items()}}


def _require_same(wanted: dict[str, str]) -> None:
    here = installed()
    for name, version in wanted.items():
        if here[name] != version:
            raise NodeDiffersError(
                f"node {platform.node()} has {name} {here[name]}, where the plan was made with {version}: cells of one "
                "run need the same on every node; install the same there, and give the same command again"
            )


def _require_device(found: DeviceRecord | None, wanted: Device) -> None:
    kind = found and ("cpu" if found.kind == "cpu" else found.name)
    if kind != wanted.kind:
        raise NodeDiffersError(
            f"node {platform.node()} computed on {kind!r}, where the plan was made for {wanted.kind!r}: cells of one "
            "run need one kind of device; take the node out of the cluster, and give the same command again"
        )


# Ray gives a process one task after another, and a fresh worker would import and load its programs anew.
_workers: dict[str, Worker] = {}


@contextlib.contextmanager
def _worker(setup: NodeSetup) -> Iterator[Worker]:
    """The process that runs cells for this process of Ray's."""
    device = setup.device.platform
    if device not in _workers:
        # It has them from this process, which has those of whoever started the cluster.
        os.environ["XLA_FLAGS"] = setup.xla_flags
        _workers[device] = Worker(device, None, cache())
        atexit.register(_workers[device].end, at_once=True)
    worker = _workers[device]
    # What an ended process told and nobody asked for.
    worker.trainings()
    try:
        yield worker
    finally:
        # Ray may give the GPU to another process next.
        if device == "gpu":
            del _workers[device]
            worker.end(at_once=True)
            worker.join()


@contextlib.contextmanager
def _written(files: dict[str, bytes]) -> Iterator[Path]:
    """The folder on this node that a plan's plugins are written to, each below it where it lay."""
    with tempfile.TemporaryDirectory(prefix="vae-jax-plugins-") as folder:
        for name, content in files.items():
            file = _below(Path(folder), name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        yield Path(folder)


def _there(plugins: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    return tuple(str(_below(folder, plugin)) for plugin in plugins)


def _below(folder: Path, path: str) -> Path:
    return folder / Path(path).relative_to(Path(path).anchor)
