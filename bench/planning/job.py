"""A cell as work for a worker: names, numbers and paths, no code."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.planning.identity import Identity
from bench.planning.protocol import Protocol
from bench.results.stored.records import PlannedCell, TrainingRecord


@dataclass(frozen=True)
class Known:
    """A stored cell that may stand for another: its identity, and its trainings that are reported on."""

    identity: str
    trainings: tuple[TrainingRecord, ...]


@dataclass(frozen=True)
class Job:
    """A cell with all that a worker needs to run it.

    Attributes:
        cell: The cell.
        protocol: How it is tuned and reported.
        plateau: The score that a dead arm sits at on test.
        plateau_validation: The same on validation, where rates are chosen.
        plugins: Files that its arm needs.
        commit: Of this source tree.
        known: Stored cells that asked the same of other sources, by the fingerprint of their programs.
        identity: The parts of the cell's identity, for a worker to find them once more; None where nothing is stored.
        device_kind: What it is computed on.
        save: Whether its first reporting training's model is wanted too.
        tangent_kernel: Whether the condition of its tangent kernel is wanted.
        confirms: The learning rate at which it is only to be confirmed, on fresh seeds; None where it is run.
    """

    cell: PlannedCell
    protocol: Protocol
    plateau: float
    plateau_validation: float
    plugins: tuple[str, ...] = ()
    commit: str | None = None
    known: Mapping[str, Known] = field(default_factory=dict)
    identity: Identity | None = None
    device_kind: str = "cpu"
    save: bool = False
    tangent_kernel: bool = False
    confirms: float | None = None

    @property
    def most_trainings(self) -> int:
        """Trainings that may be run."""
        return self.protocol.most_trainings if self.confirms is None else self.protocol.confirming
