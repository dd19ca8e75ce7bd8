"""Hands cells to worker processes on this machine, one pool to a core, and replaces a worker that hangs or dies."""

import multiprocessing
import os
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pandas as pd
from pebble import ProcessExpired, ProcessPool

from bench.plan import Job
from bench.worker import Failure, Unchanged, run_cell, start_worker, time_cell

# How often the progress pipes are looked into, in seconds.
_POLL = 0.1
_TRIES = 2


@dataclass(frozen=True)
class TrainingsEnded:
    """Some trainings have ended somewhere."""

    count: int


@dataclass(frozen=True)
class CellEnded:
    """A cell has ended: with a record, with a stored one that stands, or with the reason why there is none."""

    job: Job
    outcome: tuple[dict[str, Any], pd.DataFrame] | Unchanged | Failure


class LocalExecutor:
    """Worker processes that live for the whole run; a context manager that ends them."""

    def __init__(self, device: str, workers: int, cache: Path):
        """Prepare the workers; their processes start with their first job.

        Args:
            device: `cpu` or `gpu`.
            workers: How many.
            cache: Folder of the persistent compilation cache.
        """
        # A forked jax hangs: its threads are not copied with it.
        context = multiprocessing.get_context("spawn")
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        self._pools: list[ProcessPool] = []
        self._progress: list[Connection] = []
        for index in range(workers):
            receiver, sender = context.Pipe(duplex=False)
            core = cores[index % len(cores)] if cores and device == "cpu" else None
            self._pools.append(
                ProcessPool(1, context=context, initializer=start_worker, initargs=(device, core, str(cache), sender))
            )
            self._progress.append(receiver)
        self._home: dict[int, int] = {}

    def __enter__(self) -> "LocalExecutor":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        for pool in self._pools:
            pool.close() if kind is None else pool.stop()
        for pool in self._pools:
            pool.join()

    def run(self, jobs: Sequence[Job], limit_seconds: float) -> Iterator[TrainingsEnded | CellEnded]:
        """Run cells, those of one program on one worker where that keeps no other worker waiting.

        Args:
            jobs: The cells.
            limit_seconds: How long one may take before its worker is ended.
        """
        # Compositions take longest, and what takes longest should not start last.
        waiting = sorted(jobs, key=lambda job: -job.cell.arm.count("+"))
        tries: dict[str, int] = {}
        running: dict[Future[Any], tuple[int, Job]] = {}
        told = [0] * len(self._pools)
        while waiting or running:
            for worker in set(range(len(self._pools))) - {worker for worker, _ in running.values()}:
                if waiting:
                    job = waiting.pop(self._next(worker, waiting))
                    self._home[job.cell.program] = worker
                    future = self._pools[worker].schedule(run_cell, args=[job], timeout=limit_seconds)
                    running[future] = (worker, job)
                    told[worker] = 0
            finished, _ = wait(running, timeout=_POLL, return_when=FIRST_COMPLETED)
            for worker, count in enumerate(self._trainings()):
                told[worker] += count
                if count:
                    yield TrainingsEnded(count)
            for future in finished:
                worker, job = running.pop(future)
                outcome = _outcome(future, limit_seconds)
                tried = tries[job.cell.identity] = tries.get(job.cell.identity, 0) + 1
                if isinstance(outcome, Failure) and outcome.again and tried < _TRIES:
                    waiting.append(job)
                    yield TrainingsEnded(-told[worker])
                else:
                    # A cell that ended early has no more trainings to come: the count is of work that is over.
                    yield TrainingsEnded(job.protocol.trainings - told[worker])
                    yield CellEnded(job, outcome)

    def time(self, job: Job, learning_rate: float, baseline: Job, limit_seconds: float) -> dict[str, Any] | Failure:
        """Time one cell, on the worker that has its program, while all others rest."""
        pool = self._pools[self._home.setdefault(job.cell.program, 0)]
        return _outcome(
            pool.schedule(time_cell, args=[job, learning_rate, baseline], timeout=limit_seconds), limit_seconds
        )

    def _next(self, worker: int, waiting: Sequence[Job]) -> int:
        """Which cell a free worker takes: one of its own programs, else of a new one, else another worker's."""

        def rank(index: int) -> tuple[int, int]:
            home = self._home.get(waiting[index].cell.program)
            return (0 if home == worker else 1 if home is None else 2, index)

        return min(range(len(waiting)), key=rank)

    def _trainings(self) -> list[int]:
        """How many trainings each worker has told of since the last call."""
        counts = [0] * len(self._progress)
        for worker, progress in enumerate(self._progress):
            while progress.poll():
                counts[worker] += progress.recv()
        return counts


def _outcome(future: "Future[Any]", limit_seconds: float) -> Any:
    try:
        return future.result()
    except TimeoutError:
        return Failure("timeout", f"took longer than {limit_seconds:.0f} s, so its worker was ended", again=True)
    except ProcessExpired as error:
        return Failure("failed", f"its worker ended without a word, exit code {error.exitcode}", again=True)
    except MemoryError as error:
        return Failure("out of memory", f"the worker ran out of memory: {error}", again=True)
    except Exception as error:
        # What raises will raise again, but for memory, which another cell may have held.
        full = "RESOURCE_EXHAUSTED" in str(error)
        message = f"{type(error).__name__}: {str(error).strip()}".split("\n")[0]
        text = "".join(traceback.format_exception(error))
        return Failure("out of memory" if full else "failed", message[:300], text, again=full)
