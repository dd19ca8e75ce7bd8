"""Hands cells to a Ray cluster: scheduling, retries, lost nodes and the assignment of GPUs are Ray's.

A task is a group of cells of one program, which one worker runs one after another and whose outcomes stream back as
they come. A task and not an actor: Ray starts it again wherever there is room, where an actor that has lost its node
may wait for a place for ever. On a node each cell runs in the same kind of process as on one machine, a
`bench.execution.local.Worker` and a child of Ray's worker: a process of Ray's may have started jax already, and a cell
that hangs is ended and told of in the same words.
"""

import atexit
import contextlib
import os
import platform
import socket
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from bench.execution.device import Device, find_device
from bench.execution.local import (
    POLL_SECONDS,
    CellEnded,
    Outcome,
    TrainingsEnded,
    Worker,
    default_cache,
    longest_first,
    outcome_of,
)
from bench.execution.process import Failure
from bench.language.errors import InputError, unknown
from bench.planning.identity import packages, versions
from bench.planning.plan import Job
from bench.results.records import DeviceRecord, TimingRecord

T = TypeVar("T")

# A lost node costs at most this many cells of each of its workers, which then run again.
_GROUP = 8

# Groups handed to Ray for each slot: the next one is there when a slot becomes free.
_AHEAD = 2

_CONNECT_SECONDS = 5.0


class TryAgainError(Exception):
    """Asks Ray to start a task again: a cell's process hung, died or found no memory."""

    def __init__(self, failure: Failure):
        super().__init__(failure)
        self.failure = failure


class NodeDiffersError(Exception):
    """A node would compute other numbers than this machine's plan says."""


@dataclass(frozen=True)
class NodeSetup:
    """What a node needs to know beside the cells.

    Attributes:
        device: What the plan was made for.
        setup: Versions and digests of sources that the node must have too.
        plugins: The text of each plugin file by its path, which begins with the plugin's own name: nodes share no disk.
        limit_seconds: How long one cell may take before its process is ended.
    """

    device: Device
    setup: dict[str, str]
    plugins: dict[str, str]
    limit_seconds: float


class RayExecutor:
    """A connection to a cluster; a context manager that takes back what is still running there."""

    def __init__(self, address: str | None = None, device: str | None = None):
        """Connect.

        Args:
            address: HOST:PORT of the cluster; without it RAY_ADDRESS, or the cluster that this machine is a node of.
            device: `cpu`, `gpu`, or None for GPUs where the cluster has some.

        Raises:
            InputError: If Ray is not installed, no cluster answers, or it has no such device.
        """
        self._ray = _import_ray()
        self._setup = _setup()
        self.address = address or os.environ.get("RAY_ADDRESS") or "auto"
        self._ours = not self._ray.is_initialized()
        if self._ours:
            _connect(self._ray, self.address)
        try:
            self.device = self._find_device(device)
        except BaseException:
            self.__exit__()
            raise
        options: dict[str, Any] = {"num_cpus": 1, "retry_exceptions": [TryAgainError]}
        if self.device.platform == "gpu":
            options["num_gpus"] = 1
        self._run_group = self._ray.remote(num_returns="streaming", **options)(run_group)
        self._time_on_node = self._ray.remote(**options)(time_on_node)

    def __enter__(self) -> "RayExecutor":
        return self

    def __exit__(self, kind: type[BaseException] | None = None, *_: Any) -> None:
        if self._ours:
            self._ray.shutdown()

    @property
    def slots(self) -> int:
        """How many cells can run at once on the nodes that are there now."""
        resources = self._ray.cluster_resources()
        names = ("CPU", "GPU") if self.device.platform == "gpu" else ("CPU",)
        return int(min(resources.get(name, 0) for name in names))

    @property
    def place(self) -> str:
        """Slots of the cluster."""
        return f"{self.device.platform} slot{'s' * (self.slots != 1)} of the Ray cluster"

    def run(self, jobs: Sequence[Job], limit_seconds: float) -> Iterator[TrainingsEnded | CellEnded]:
        """Run cells, those of one program together.

        Args:
            jobs: The cells.
            limit_seconds: How long one may take before its process is ended.

        Raises:
            InputError: If a node cannot run cells at all, or not with the same numbers: it fails fast, and would
                otherwise be given all cells, and fail them.
        """
        waiting = deque(groups(jobs, self.slots))
        running: dict[Any, _Group] = {}
        try:
            while waiting or running:
                while waiting and len(running) < _AHEAD * max(1, self.slots):
                    group = _Group(deque(waiting.popleft()))
                    terms = self._terms(group.jobs[0], limit_seconds)
                    running[self._run_group.remote(list(group.jobs), terms)] = group
                for stream in self._ready(list(running)):
                    group = running[stream]
                    try:
                        outcome = self._ray.get(next(stream))
                    except StopIteration:
                        del running[stream]
                        continue
                    except self._ray.exceptions.RayError as error:
                        del running[stream]
                        outcome = self._failure(error)
                    if outcome is None:
                        group.told += 1
                        yield TrainingsEnded(1)
                        continue
                    job = group.jobs.popleft()
                    # A cell that ended early has no more trainings to come: the count is of work that is over.
                    yield TrainingsEnded(job.protocol.trainings - group.told)
                    group.told = 0
                    yield CellEnded(job, outcome)
                    if stream not in running and group.jobs:
                        waiting.appendleft(list(group.jobs))
        finally:
            for stream in running:
                self._ray.cancel(stream, force=True)

    def time(self, job: Job, learning_rate: float, baseline: Job, limit_seconds: float) -> TimingRecord | Failure:
        """Time one cell beside the baseline on some node, while nothing else of this run is running."""
        task = self._time_on_node.remote(job, learning_rate, baseline, self._terms(job, limit_seconds))
        try:
            return self._ray.get(task)
        except self._ray.exceptions.RayError as error:
            return self._failure(error)
        except BaseException:
            self._ray.cancel(task, force=True)
            raise

    def _find_device(self, wanted: str | None) -> Device:
        if wanted not in (None, "cpu", "gpu"):
            raise unknown("device", wanted, ("cpu", "gpu"))
        has_gpu = self._ray.cluster_resources().get("GPU", 0) >= 1
        if wanted == "gpu" and not has_gpu:
            raise InputError(f"device 'gpu': the cluster at {self.address} has none; add a node with one, or use cpu")
        if wanted == "cpu" or not has_gpu:
            return Device("cpu", "cpu")
        # Each task on a GPU has a process of its own, so that the next finds the memory free.
        probe = self._ray.remote(num_gpus=1, max_calls=1, max_retries=0)(find_device)
        try:
            return self._ray.get(probe.remote(wanted))
        except self._ray.exceptions.RayError as error:
            raise InputError(f"device 'gpu' on a node of {self.address}: {_said(error)}") from error

    def _terms(self, job: Job, limit_seconds: float) -> NodeSetup:
        plugins: dict[str, str] = {}
        for path in map(Path, job.plugins):
            files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
            plugins |= {str(file.relative_to(path.parent)): file.read_text() for file in files}
        return NodeSetup(self.device, self._setup, plugins, limit_seconds)

    def _ready(self, streams: list[Any]) -> list[Any]:
        """The streams that have something to tell, after a while at most."""
        first, _ = self._ray.wait(streams, num_returns=1, timeout=POLL_SECONDS)
        return self._ray.wait(streams, num_returns=len(streams), timeout=0)[0] if first else []

    def _failure(self, error: Any) -> Failure:
        """What became of the cell at which a task has ended, once Ray has no more tries for it.

        Raises:
            InputError: If the error is no cell's.
        """
        cause = getattr(error, "cause", None)
        if isinstance(cause, TryAgainError):
            return cause.failure
        if isinstance(cause, NodeDiffersError):
            raise InputError(str(cause)) from error
        if isinstance(error, self._ray.exceptions.RayTaskError):
            raise InputError(
                f"a node of {self.address} cannot run cells: {_said(error)}; install this project on every node in the "
                "same version"
            ) from error
        status = "out of memory" if isinstance(error, self._ray.exceptions.OutOfMemoryError) else "failed"
        return Failure(status, f"Ray gave it up: {type(error).__name__}: {_said(error)}"[:300], str(error))


@dataclass
class _Group:
    """Cells of one task that have not ended, and how many trainings of the first one have."""

    jobs: deque[Job]
    told: int = 0


def groups(jobs: Sequence[Job], slots: int) -> list[list[Job]]:
    """Cells of one program together, so that they are compiled once; small enough that every slot has work.

    Args:
        jobs: The cells.
        slots: How many can run at once.
    """
    size = max(1, min(_GROUP, len(jobs) // max(1, slots)))
    programs: dict[int, list[Job]] = {}
    for job in longest_first(jobs):
        programs.setdefault(job.cell.program, []).append(job)
    return [cells[first : first + size] for cells in programs.values() for first in range(0, len(cells), size)]


def run_group(jobs: Sequence[Job], terms: NodeSetup) -> Iterator[Outcome | None]:
    """Run cells on a node, one after another.

    Ray knows by their number which items of a task it delivered before it started it again. So a cell gives as many
    items whatever becomes of it: None for each of its trainings, then its outcome.

    Raises:
        TryAgainError: If a cell may end otherwise in another process.
        NodeDiffersError: If this node would compute other numbers.
    """
    _require_same(terms.setup)
    with _plugins(terms.plugins) as paths, _worker(terms.device.platform) as worker:
        for job in jobs:
            future = worker.run(replace(job, plugins=paths), terms.limit_seconds)
            told = 0
            while not future.done():
                wait([future], timeout=POLL_SECONDS)
                count = worker.trainings()
                told += count
                # Not `yield from` a list: Ray sends into the generator, and a list takes nothing.
                for _ in range(count):
                    yield None
            outcome = _outcome(future, terms.limit_seconds)
            if isinstance(outcome, Failure) and paths:
                # The folder of these paths is gone when this is read.
                outcome = replace(outcome, reason=outcome.reason.replace(f"{Path(paths[0]).parent}{os.sep}", ""))
            if isinstance(outcome, tuple):
                _require_device(outcome[0].device, terms.device)
            for _ in range(job.protocol.trainings - told):
                yield None
            yield outcome


def time_on_node(job: Job, learning_rate: float, baseline: Job, terms: NodeSetup) -> TimingRecord | Failure:
    """Time a cell on a node; raises as `run_group` does."""
    _require_same(terms.setup)
    with _plugins(terms.plugins) as paths, _worker(terms.device.platform) as worker:
        there = (replace(job, plugins=paths), learning_rate, replace(baseline, plugins=paths))
        timing = _outcome(worker.time(*there, terms.limit_seconds), terms.limit_seconds)
    if not isinstance(timing, Failure):
        _require_device(timing.device, terms.device)
    return timing


def _outcome(future: "Future[Any]", limit_seconds: float) -> Any:
    outcome = outcome_of(future, limit_seconds)
    if isinstance(outcome, Failure) and outcome.again:
        raise TryAgainError(outcome)
    return outcome


def _setup() -> dict[str, str]:
    return {**versions(), **{f"sources of {name}": digest for name, digest in packages().items()}}


def _require_same(wanted: dict[str, str]) -> None:
    here = _setup()
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
def _worker(device: str) -> Iterator[Worker]:
    """The process that runs cells for this process of Ray's."""
    if device not in _workers:
        _workers[device] = Worker(device, None, default_cache())
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
def _plugins(texts: dict[str, str]) -> Iterator[tuple[str, ...]]:
    """Plugins on this node, under their own names: a plugin's functions are named by its file's or folder's."""
    with tempfile.TemporaryDirectory(prefix="vae-jax-plugins-") as folder:
        for name, text in texts.items():
            file = Path(folder) / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        yield tuple(str(Path(folder) / name) for name in dict.fromkeys(Path(name).parts[0] for name in texts))


def _import_ray() -> Any:
    try:
        import ray  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise InputError(
            "executor 'ray': Ray is not installed here; install the extra with pip install '.[ray]', or use local"
        ) from error
    return ray


def _connect(ray: Any, address: str) -> None:
    """Connect to a cluster, or say why not."""
    if "://" in address:
        raise InputError(
            f"address {address!r} is a Ray Client's, which cannot stream results: give the command on a node of the "
            "cluster, with --address HOST:PORT or without"
        )
    host, _, port = address.rpartition(":")
    cure = "ray start --head starts one; --address HOST:PORT or RAY_ADDRESS names it, from one of its nodes"
    try:
        if port.isdigit():
            # Ray itself would look for it for minutes.
            socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        raise InputError(f"no Ray cluster at address {address!r} ({_said(error)}): {cure}") from error


def _said(error: BaseException) -> str:
    """The line of an error that tells what it is; Ray puts the traceback in front."""
    text = getattr(error, "strerror", None) or str(getattr(error, "cause", None) or error)
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else type(error).__name__
