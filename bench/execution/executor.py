"""The contract of what runs cells: how it is asked, and the events by which it answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bench.execution.device import Device
from bench.planning.job import Job
from bench.results.stored.records import TimingRecord
from bench.training.cell import Confirmed, Ran, Unchanged


@dataclass(frozen=True)
class Failure:
    """Why a cell has no figures, and whether another try may end otherwise."""

    status: str
    reason: str
    traceback: str = ""
    again: bool = False


Outcome = Ran | Unchanged | Confirmed | Failure
"""A cell's record with its curves and its model, which stored ones stand for them, its confirmation, or the reason why
there are none.
"""


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
    """Runs cells somewhere and hands their records back; a context manager that ends what it has started.

    Attributes:
        device: The device that cells are computed on.
    """

    device: Device

    @property
    def slots(self) -> int:
        """How many cells can run at once."""
        ...

    @property
    def slot_words(self) -> str:
        """The words that follow the number of slots, as `cpu workers`."""
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

    def time(
        self, jobs: Sequence[tuple[Job, float]], baseline: Job, limit_seconds: float
    ) -> Iterator[TimingRecord | Failure]:
        """Time cells beside the baseline, in their order, each while nothing else of this run is running.

        Args:
            jobs: The cells, and each one's learning rate.
            baseline: What all are timed beside.
            limit_seconds: How long one may take before its process is ended.
        """
        ...
