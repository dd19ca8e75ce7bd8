"""Hands cells to worker processes on this machine, one to a core, and replaces a worker that hangs or dies."""

import itertools
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any

from bench.execution.device import Device
from bench.execution.executor import CellEnded, Failure, TrainingsEnded
from bench.execution.waiting import Waiting
from bench.execution.worker import POLL_SECONDS, Worker, outcome_of
from bench.planning.job import Job
from bench.results.stored.records import TimingRecord

_TRIES = 2


class LocalExecutor:
    """Worker processes that live for the whole run; a context manager that ends them."""

    def __init__(self, device: Device, workers: int | None, cache: Path):
        """Prepare the workers; their processes start with their first job.

        Args:
            device: What to run on: one worker to a core, or to a GPU, and then the next on the first again.
            workers: How many; None for one to each.
            cache: Folder of the persistent compilation cache.
        """
        # Where the system tells of no cores, as many workers as it says that it has, and none of them pinned.
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [None] * (os.cpu_count() or 1)
        units = list(range(device.number)) if device.platform == "gpu" else cores
        each = itertools.islice(itertools.cycle(units), workers or len(units))
        self.device = device
        self._workers = [Worker(device.platform, unit, cache) for unit in each]
        self._home: dict[int, int] = {}

    def __enter__(self) -> "LocalExecutor":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        for worker in self._workers:
            worker.end(at_once=kind is not None)
        for worker in self._workers:
            worker.join()

    @property
    def slots(self) -> int:
        """How many workers there are."""
        return len(self._workers)

    @property
    def slot_words(self) -> str:
        """Worker processes on a platform."""
        return f"{self.device.platform} worker{'s' * (self.slots != 1)}"

    def run(self, jobs: Sequence[Job], limit_seconds: float) -> Iterator[TrainingsEnded | CellEnded]:
        """Run cells, those of one program on one worker where that keeps no other worker waiting.

        Args:
            jobs: The cells.
            limit_seconds: How long one may take before its worker is ended.
        """
        waiting = Waiting(jobs)
        tries: dict[str, int] = {}
        running: dict[Future[Any], tuple[int, Job]] = {}
        told = [0] * len(self._workers)
        while waiting or running:
            for index in set(range(len(self._workers))) - {index for index, _ in running.values()}:
                if waiting:
                    job = waiting.take(index, self._home)
                    self._home[job.cell.program] = index
                    running[self._workers[index].run(job, limit_seconds)] = (index, job)
                    told[index] = 0
            finished, _ = wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
            for index, worker in enumerate(self._workers):
                count = worker.trainings()
                told[index] += count
                if count:
                    yield TrainingsEnded(count)
            for future in finished:
                index, job = running.pop(future)
                outcome = outcome_of(future, limit_seconds)
                tried = tries[job.cell.identity] = tries.get(job.cell.identity, 0) + 1
                if isinstance(outcome, Failure) and outcome.again and tried < _TRIES:
                    waiting.add(job)
                    yield TrainingsEnded(-told[index])
                else:
                    # A cell that ended early has no more trainings to come: the count is of work that is over.
                    yield TrainingsEnded(job.most_trainings - told[index])
                    yield CellEnded(job, outcome)

    def time(
        self, jobs: Sequence[tuple[Job, float]], baseline: Job, limit_seconds: float
    ) -> Iterator[TimingRecord | Failure]:
        """Time cells, in their order: as many as there are workers are compiled side by side, then timed one by one."""
        for first in range(0, len(jobs), len(self._workers)):
            beside = list(zip(self._free(jobs[first : first + len(self._workers)]), jobs[first:], strict=False))
            # What fails here fails again where it is told.
            wait([worker.prepare(*job, baseline, limit_seconds) for worker, job in beside])
            for worker, job in beside:
                yield outcome_of(worker.time(*job, baseline, limit_seconds), limit_seconds)

    def _free(self, jobs: Sequence[tuple[Job, float]]) -> list[Worker]:
        """A worker to each cell, where it can be the one that has its program."""
        homes = [self._home.get(job.cell.program) for job, _ in jobs]
        free = set(range(len(self._workers)))
        chosen: list[int | None] = []
        for home in homes:
            chosen.append(home if home in free else None)
            free.discard(home if home is not None else -1)
        return [self._workers[free.pop() if index is None else index] for index in chosen]
