"""Cells that wait for a worker, and which of them a free one takes."""

from collections import deque
from collections.abc import Iterable, Mapping

from bench.planning.job import Job


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
