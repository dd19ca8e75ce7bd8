"""Hands cells to a Ray cluster: scheduling, retries, lost nodes and the assignment of GPUs are Ray's.

A task is a group of cells of one program, which one worker runs one after another and whose outcomes stream back as
they come. A task and not an actor: Ray starts it again wherever there is room, where an actor that has lost its node
may wait for a place for ever.
"""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bench.execution.device import Device, find_device
from bench.execution.executor import CellEnded, Failure, TrainingsEnded
from bench.execution.ray_connection import connect, import_ray, said
from bench.execution.ray_node import NodeDiffersError, NodeSetup, TryAgainError, installed, run_group, time_on_node
from bench.execution.waiting import longest_first
from bench.execution.worker import POLL_SECONDS
from bench.language.errors import InputError, unknown
from bench.planning.job import Job
from bench.plugins.source_file import files_of
from bench.results.stored.records import TimingRecord

T = TypeVar("T")

# A lost node costs at most this many cells of each of its workers, which then run again.
_GROUP = 8

# Groups handed to Ray for each slot: the next one is there when a slot becomes free.
_AHEAD = 2


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
        self._ray = import_ray()
        self._installed = installed()
        self.address = address or os.environ.get("RAY_ADDRESS") or "auto"
        self._ours = not self._ray.is_initialized()
        if self._ours:
            connect(self._ray, self.address)
        try:
            self.device = self._find_device(device)
        except BaseException:
            self.__exit__()
            raise
        options: dict[str, Any] = {"num_cpus": 1, "max_retries": _retries(), "retry_exceptions": [TryAgainError]}
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
    def slot_words(self) -> str:
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
                    setup = self._node_setup(group.jobs[0], limit_seconds)
                    running[self._run_group.remote(list(group.jobs), setup)] = group
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
                    yield TrainingsEnded(job.most_trainings - group.told)
                    group.told = 0
                    yield CellEnded(job, outcome)
                    if stream not in running and group.jobs:
                        waiting.appendleft(list(group.jobs))
        finally:
            for stream in running:
                self._ray.cancel(stream, force=True)

    def time(
        self, jobs: Sequence[tuple[Job, float]], baseline: Job, limit_seconds: float
    ) -> Iterator[TimingRecord | Failure]:
        """Time cells, each on some node, while nothing else of this run is running."""
        for job, learning_rate in jobs:
            task = self._time_on_node.remote(job, learning_rate, baseline, self._node_setup(job, limit_seconds))
            try:
                timing = self._ray.get(task)
            except self._ray.exceptions.RayError as error:
                timing = self._failure(error)
            except BaseException:
                self._ray.cancel(task, force=True)
                raise
            yield timing

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
            raise InputError(f"device 'gpu' on a node of {self.address}: {said(error)}") from error

    def _node_setup(self, job: Job, limit_seconds: float) -> NodeSetup:
        files = {
            str(Path(path).parent / name): content for path in job.plugins for name, content in files_of(path).items()
        }
        return NodeSetup(self.device, self._installed, os.environ.get("XLA_FLAGS", ""), files, limit_seconds)

    def _ready(self, streams: list[Any]) -> list[Any]:
        """The streams that have something to tell, after a while at most."""
        first, _ = self._ray.wait(streams, num_returns=1, timeout=POLL_SECONDS)
        return self._ray.wait(streams, num_returns=len(streams), timeout=0)[0] if first else []

    def _failure(self, error: Any) -> Failure:
        """The failure of the cell at which a task has ended, once Ray has no more tries for it.

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
                f"a node of {self.address} cannot run cells: {said(error)}; install this project on every node in the "
                "same version"
            ) from error
        status = "out of memory" if isinstance(error, self._ray.exceptions.OutOfMemoryError) else "failed"
        return Failure(status, f"Ray gave it up: {type(error).__name__}: {said(error)}"[:300], str(error))


def _retries() -> int:
    """By Ray's own variable, which Ray reads once in a process, however often it is set."""
    asked = os.environ.get("RAY_TASK_MAX_RETRIES", "3")
    try:
        return int(asked)
    except ValueError:
        raise InputError(
            f"RAY_TASK_MAX_RETRIES is {asked!r}, no whole number: set one, as 3, or -1 for no end"
        ) from None


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
