"""One process that runs one cell after another, and how what it came to is told."""

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import entry_points
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from pebble import ProcessExpired, ProcessPool

from bench.execution.executor import Failure
from bench.execution.process import start_worker, tell_training
from bench.language.errors import briefly
from bench.planning.job import Job
from bench.plugins.entry_points import ENTRY_POINT_GROUPS, package_root
from bench.plugins.own_code import raised_in
from bench.training.cell import run_cell
from bench.training.memory import give_back
from bench.training.programs import let_go
from bench.training.timing import prepare_timing, time_cell

POLL_SECONDS = 0.1
"""How often the progress pipes are looked into."""

# The exit code of a worker that found no memory.
_OUT_OF_MEMORY = 77

# Beyond what a worker holds at first, some 400 MB. What a cell has compiled is 150 to 250 MB, and 350 MB more while its
# largest program is compiled: a worker stays below 1 GB in a suite of any length.
_MORE_BYTES = 3 * 2**26


class Worker:
    """One process that runs one cell after another, and is replaced when it hangs or dies."""

    def __init__(self, device: str, core_or_gpu: int | None, cache: Path):
        """Prepare the process; it starts with its first job.

        Args:
            device: `cpu` or `gpu`.
            core_or_gpu: The core to run on, or which of the GPUs; None for whatever the system gives.
            cache: Folder of the persistent compilation cache.
        """
        # A forked jax hangs: its threads are not copied with it.
        context = multiprocessing.get_context("spawn")
        # Started with the first lock, it would let Ctrl-C through again, which `_schedule` holds back.
        resource_tracker.ensure_running()
        self._progress, sender = context.Pipe(duplex=False)
        self._starting = ThreadPoolExecutor(1)
        self._pool = ProcessPool(
            1, context=context, initializer=start_worker, initargs=(device, core_or_gpu, str(cache), sender)
        )

    def run(self, job: Job, limit_seconds: float) -> "Future[Any]":
        """Start a cell."""
        return self._schedule(limit_seconds, run_cell, job, tell_training)

    def prepare(self, job: Job, learning_rate: float, baseline: Job, limit_seconds: float) -> "Future[Any]":
        """Start compiling what timing a cell needs."""
        return self._schedule(limit_seconds, prepare_timing, job, learning_rate, baseline)

    def time(self, job: Job, learning_rate: float, baseline: Job, limit_seconds: float) -> "Future[Any]":
        """Start timing a cell."""
        return self._schedule(limit_seconds, time_cell, job, learning_rate, baseline)

    def _schedule(self, limit_seconds: float, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        # In a thread, for in the main one Ctrl-C would break off a start, and a process that is half started, or has
        # not come as far as to ignore Ctrl-C, says so in a traceback.
        def schedule() -> "Future[Any]":
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
            return self._pool.schedule(_in_process, args=[function, *arguments], timeout=limit_seconds)

        return self._starting.submit(schedule).result()

    def trainings(self) -> int:
        """How many trainings have ended since the last call."""
        count = 0
        while self._progress.poll():
            count += self._progress.recv()
        return count

    def end(self, at_once: bool) -> None:
        """Ask the process to end: after what it is doing, or at once; if it is being started, then when it is."""
        self._starting.shutdown()
        self._pool.stop() if at_once else self._pool.close()

    def join(self) -> None:
        """Wait until the process has ended."""
        self._pool.join()


def outcome_of(future: "Future[Any]", limit_seconds: float) -> Any:
    """The value of a worker's job, or the failure that its process or its code ended with."""
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


# The latest cell's.
_program: int | None = None


def _in_process(function: Callable[..., Any], job: Job, *arguments: Any) -> Any:
    """The function's value, in a worker process, which ends without memory: what it holds would fail the next cell."""
    global _program
    # Cells of one program come one after another.
    if job.cell.program != _program:
        let_go(more=_MORE_BYTES)
        _program = job.cell.program
    try:
        result = function(job, *arguments)
        give_back()
        return result
    except (Exception, SystemExit) as error:
        if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
            os._exit(_OUT_OF_MEMORY)
        # In words, since not every error can be rebuilt in another process: jax's about tracing cannot.
        return _failure(error, job)


def _failure(error: BaseException, job: Job) -> Failure:
    """An error as a failure: it would come again, and where it came through a plugin, that has the line to mend."""
    points = (point for group in ENTRY_POINT_GROUPS for point in entry_points(group=group))
    where = raised_in(error, *job.plugins, *filter(None, (package_root(point.value) for point in points)))
    said = briefly(error, kind=True)[:300] + (f"; mend it in {where}" if where else "")
    return Failure("failed", said, "".join(traceback.format_exception(error)))
