"""Hands cells to worker processes on this machine, one to a core, and replaces a worker that hangs or dies."""

import itertools
import multiprocessing
import os
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from importlib.metadata import entry_points
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
from pebble import ProcessExpired, ProcessPool

from bench.execution.device import Device
from bench.execution.process import Failure, start_worker, tell_training
from bench.language.errors import briefly
from bench.planning.plan import Job
from bench.plugins.plugin import ENTRY_POINT_GROUPS
from bench.plugins.source_file import package_root, raised_in
from bench.training.cell import Unchanged, run_cell
from bench.training.timing import time_cell

POLL_SECONDS = 0.1
"""How often the progress pipes are looked into."""

_TRIES = 2

# The exit code of a worker that found no memory.
_OUT_OF_MEMORY = 77

Outcome = tuple[dict[str, Any], pd.DataFrame] | Unchanged | Failure
"""A cell's manifest and curves, which stored ones stand for them, or the reason why there are none."""


@dataclass(frozen=True)
class TrainingsEnded:
    """Some trainings have ended somewhere."""

    count: int


@dataclass(frozen=True)
class CellEnded:
    """A cell has ended: with a record, with a stored one that stands, or with the reason why there is none."""

    job: Job
    outcome: Outcome


class Executor(Protocol):
    """What runs cells somewhere and hands their records back; a context manager that ends what it has started.

    Attributes:
        device: What cells are computed on.
    """

    device: Device

    @property
    def slots(self) -> int:
        """How many cells can run at once."""
        ...

    @property
    def place(self) -> str:
        """What the slots are, in words that follow their number."""
        ...

    def __enter__(self) -> Any: ...

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None: ...

    def run(self, jobs: Sequence[Job], limit_seconds: float) -> Iterator[TrainingsEnded | CellEnded]:
        """Run cells; each ends exactly once.

        Args:
            jobs: The cells.
            limit_seconds: How long one may take before its process is ended.
        """
        ...

    def time(self, job: Job, learning_rate: float, baseline: Job, limit_seconds: float) -> dict[str, Any] | Failure:
        """Time one cell beside the baseline, while nothing else of this run is running."""
        ...


def default_cache() -> Path:
    """The folder of the persistent compilation cache: `VAE_JAX_CACHE`, or below the user's cache folder."""
    named = os.environ.get("VAE_JAX_CACHE")
    return Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "vae-jax"


class Worker:
    """One process that runs one cell after another, and is replaced when it hangs or dies."""

    def __init__(self, device: str, place: int | None, cache: Path):
        """Prepare the process; it starts with its first job.

        Args:
            device: `cpu` or `gpu`.
            place: The core to run on, or which of the GPUs; None for whatever the system gives.
            cache: Folder of the persistent compilation cache.
        """
        # A forked jax hangs: its threads are not copied with it.
        context = multiprocessing.get_context("spawn")
        # Started with the first lock, it would let Ctrl-C through again, which `_schedule` holds back.
        resource_tracker.ensure_running()
        self._progress, sender = context.Pipe(duplex=False)
        self._pool = ProcessPool(
            1, context=context, initializer=start_worker, initargs=(device, place, str(cache), sender)
        )

    def run(self, job: Job, limit_seconds: float) -> "Future[Any]":
        """Start a cell."""
        return self._schedule(limit_seconds, run_cell, job, tell_training)

    def time(self, job: Job, learning_rate: float, baseline: Job, limit_seconds: float) -> "Future[Any]":
        """Start timing a cell."""
        return self._schedule(limit_seconds, time_cell, job, learning_rate, baseline)

    def _schedule(self, limit_seconds: float, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        # What the pool starts would answer Ctrl-C with a traceback before it has come as far as to ignore it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            return self._pool.schedule(_in_process, args=[function, *arguments], timeout=limit_seconds)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def trainings(self) -> int:
        """How many trainings have ended since the last call."""
        count = 0
        while self._progress.poll():
            count += self._progress.recv()
        return count

    def end(self, at_once: bool) -> None:
        """Ask the process to end: after what it is doing, or at once."""
        self._pool.stop() if at_once else self._pool.close()

    def join(self) -> None:
        """Wait until the process has ended."""
        self._pool.join()


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
        places = list(range(device.number)) if device.platform == "gpu" else cores
        each = itertools.islice(itertools.cycle(places), workers or len(places))
        self.device = device
        self._workers = [Worker(device.platform, place, cache) for place in each]
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
    def place(self) -> str:
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
                    yield TrainingsEnded(job.protocol.trainings - told[index])
                    yield CellEnded(job, outcome)

    def time(self, job: Job, learning_rate: float, baseline: Job, limit_seconds: float) -> dict[str, Any] | Failure:
        """Time one cell, on the worker that has its program, while all others rest."""
        worker = self._workers[self._home.setdefault(job.cell.program, 0)]
        return outcome_of(worker.time(job, learning_rate, baseline, limit_seconds), limit_seconds)


class Waiting:
    """Cells that wait for a worker, in a queue for each program."""

    def __init__(self, jobs: Iterable[Job]):
        self._queues: dict[int, deque[Job]] = {}
        for job in longest_first(jobs):
            self.add(job)

    def __bool__(self) -> bool:
        return bool(self._queues)

    def add(self, job: Job) -> None:
        """Put a cell at the end of its program's queue."""
        self._queues.setdefault(job.cell.program, deque()).append(job)

    def take(self, worker: int, home: Mapping[int, int]) -> Job:
        """The cell for a free worker: one of its own programs, else of a program nobody has, else another worker's.

        Args:
            worker: The worker's number.
            home: The worker that has a program.
        """

        def rank(program: int) -> tuple[int, int]:
            owner = home.get(program)
            return (0 if owner == worker else 1 if owner is None else 2, -compositions(self._queues[program][0]))

        program = min(self._queues, key=rank)
        job = self._queues[program].popleft()
        if not self._queues[program]:
            del self._queues[program]
        return job


def compositions(job: Job) -> int:
    """How many remedies a cell's arm adds to its first."""
    return job.cell.arm.count("+")


def longest_first(jobs: Iterable[Job]) -> list[Job]:
    """Cells in the order to start them: compositions take longest, and what takes longest should not start last."""
    return sorted(jobs, key=compositions, reverse=True)


def outcome_of(future: "Future[Any]", limit_seconds: float) -> Any:
    """What a worker's job came to: its value, or the failure that its process or its code ended with."""
    try:
        return future.result()
    except TimeoutError:
        return Failure("timeout", f"took longer than {limit_seconds:.0f} s, so its worker was ended", again=True)
    except ProcessExpired as error:
        if error.exitcode == _OUT_OF_MEMORY:
            return Failure("out of memory", "its worker ran out of memory, and was replaced", again=True)
        return Failure("failed", f"its worker ended without a word, {_ending(error.exitcode)}", again=True)
    except Exception as error:
        return Failure("failed", briefly(error, kind=True)[:300], "".join(traceback.format_exception(error)))


def _ending(code: int) -> str:
    if code == -signal.SIGKILL:
        return "killed by signal 9, as a system does that has no memory left"
    return f"exit code {code}"


def _in_process(function: Callable[..., Any], job: Job, *arguments: Any) -> Any:
    """What a worker process runs; without memory it ends, since what it still holds would fail the next cell too."""
    try:
        return function(job, *arguments)
    except (Exception, SystemExit) as error:
        if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
            os._exit(_OUT_OF_MEMORY)
        # In words, since not every error can be rebuilt in another process: jax's about tracing cannot.
        return _failure(error, job)


def _failure(error: BaseException, job: Job) -> Failure:
    """What raises will raise again; where it came through a plugin, that has the line to mend."""
    points = (point for group in ENTRY_POINT_GROUPS for point in entry_points(group=group))
    where = raised_in(error, *job.plugins, *filter(None, (package_root(point.value) for point in points)))
    said = briefly(error, kind=True)[:300] + (f"; mend it in {where}" if where else "")
    return Failure("failed", said, "".join(traceback.format_exception(error)))
