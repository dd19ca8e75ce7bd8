"""Results: all that a store holds of a plan, read once; every reader is a function of it. No jax."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd

from bench.language.errors import InputError
from bench.results.column import Column
from bench.results.judging.comparison import Comparison, compare, least_difference
from bench.results.judging.escape import Escape, escape
from bench.results.judging.left import Figures, figures, has_left
from bench.results.judging.score import Score, common
from bench.results.judging.statistics import NOTHING, Interval, Survival, kaplan_meier, student_t
from bench.results.judging.tuned import Grid, grid, rank
from bench.results.stored.records import (
    CellRecord,
    ConfirmationRecord,
    PlannedCell,
    PlanRecord,
    TimingRecord,
    TrainingRecord,
    WorkloadRecord,
)
from bench.results.stored.saved_model import EXAMPLES, unpack_examples
from bench.results.stored.store import CURVE_COLUMNS, Store, StoredCell, UnreadableError

F = TypeVar("F")

CURVE_TYPES = {
    **dict.fromkeys(("workload", "arm", "phase", "split", "instrument", "tower"), "str"),
    **dict.fromkeys(("seed", "step", "layer"), "int64"),
    **dict.fromkeys(("learning_rate", "value"), "float64"),
}

NO_CODE_NATS = 0.01
"""A mean KL divergence below this carries nothing to speak of: a twentieth of the margin that counts in -ELBO."""


@dataclass(frozen=True)
class Row:
    """One cell of a plan, with what is stored of it: what a column is a function of.

    Attributes:
        cell: The cell as the plan calls it.
        workload: The plan's record of its workload.
        stored: Its record and curves; None of a cell that has none.
        timing: How fast it is; None where that was not measured.
        confirmation: Its trainings on further seeds; None where it was not confirmed, or at another rate.
        unreadable: Why what is stored of it cannot be read, in a sentence; empty where nothing is wrong.
        results: All cells of the run, this one among them.
    """

    cell: PlannedCell
    workload: WorkloadRecord
    stored: StoredCell | None
    timing: TimingRecord | None
    confirmation: ConfirmationRecord | None
    unreadable: str
    results: "Results" = field(repr=False, compare=False)

    @property
    def record(self) -> CellRecord:
        """The record of a stored cell.

        Raises:
            LookupError: If the cell is not stored.
        """
        if self.stored is None:
            raise LookupError(f"{self.cell.arm} is not stored")
        return self.stored.record

    @property
    def status(self) -> str:
        """Its status: `not applicable`, `missing`, or its record's status."""
        if self.cell.status != "planned":
            return self.cell.status
        return self.record.status if self.stored else "missing"

    @property
    def reason(self) -> str:
        """Why it has no figures, in a sentence."""
        if self.cell.status != "planned":
            return self.cell.reason
        return self.record.reason if self.stored else self.unreadable

    @property
    def trainings(self) -> tuple[TrainingRecord, ...]:
        """A record for each fresh seed; empty where none was trained."""
        return self.record.trainings if self.stored else ()

    def curves(self, *instruments: str) -> pd.DataFrame:
        """Its readings, or those of some instruments, as `Results.curves` has them."""
        return _tidy([self], instruments or None)

    @property
    def examples(self) -> dict[str, np.ndarray]:
        """What its model does, by what it is: pixels in bytes, or lines of text; empty where no model was saved."""
        return unpack_examples(self.stored.examples) if self.stored and self.stored.examples else {}

    @property
    def plateau(self) -> float:
        """The score on test of an arm that has learnt nothing, of the data that its figures are of."""
        return self.record.plateau if self.stored else self.workload.plateau

    @property
    def plateau_validation(self) -> float | None:
        """The same on validation; None where the plan was made with other data than the cell."""
        return self.workload.plateau_validation if math.isclose(self.plateau, self.workload.plateau) else None

    @property
    def scores(self) -> dict[int, float]:
        """The score of each fresh seed; of one that diverged, failed or ran out of time the plateau's.

        Empty of a cell that is not stored.
        """
        if self.stored is None:
            return {}
        # A cell that ended before its reporting pass was asked for as many seeds as any other.
        return self._scores(self.trainings) or dict.fromkeys(self.results.plan.protocol.reporting_seeds, self.plateau)

    @property
    def confirming_scores(self) -> dict[int, float]:
        """The same of the seeds that it was confirmed on; empty where it was not."""
        return {} if self.confirmation is None else self._scores(self.confirmation.trainings)

    def _scores(self, trainings: Sequence[TrainingRecord]) -> dict[int, float]:
        return {each.seed: self.plateau if each.score is None else each.score for each in trainings}

    @property
    def left(self) -> list[TrainingRecord]:
        """The trainings of fresh seeds that left the plateau, by the workload's rule."""
        judged = self.workload.score, self.workload.left, self.plateau
        return [training for training in self.trainings if training.score is not None
                and has_left(*judged, figures(training))]  # fmt: skip

    @property
    def mostly_left(self) -> bool:
        """Whether more than half of its fresh seeds left."""
        return 2 * len(self.left) > len(self.scores)

    @property
    def score(self) -> Interval:
        """The mean of `scores` with its interval; none where no seed has a score of its own."""
        own = any(training.score is not None for training in self.trainings)
        return student_t(list(self.scores.values())) if own else NOTHING

    @property
    def gain(self) -> Interval:
        """How far that lies below the plateau."""
        mean, low, high = self.score
        return Interval(self.plateau - mean, self.plateau - high, self.plateau - low)

    @property
    def escape(self) -> Survival | None:
        """What share of seeds is still on the plateau, over steps; None where nothing tells."""
        found = self.escapes.values()
        return kaplan_meier([each.step for each in found], [each.left for each in found]) if found else None

    @property
    def comparison(self) -> Comparison | None:
        """It beside its base; None of a base, and where the base is not in the run."""
        return self.results.comparisons.get((self.cell.workload, self.cell.arm))

    @property
    def confirmed(self) -> Comparison | None:
        """It beside its base on the seeds that it was confirmed on; None where one of them was not."""
        return self.results.confirmed.get((self.cell.workload, self.cell.arm))

    @cached_property
    def escapes(self) -> dict[int, Escape]:
        """When each fresh seed left the plateau for good, as far as validations tell."""
        plateau = self.plateau_validation
        curves = self.curves(*Figures._fields)
        curves = curves.loc[curves["split"] == "validation"]
        if plateau is None:
            return {}
        found: dict[int, Escape | None] = {}
        # One that was prolonged was followed from its first step.
        for phase in ("reporting", "prolonged"):
            for seed, rows in curves.loc[curves["phase"] == phase].groupby("seed"):
                validation = rows.pivot(index="step", columns="instrument", values="value")
                found[int(str(seed))] = escape(self.workload, plateau, validation)
        return {seed: each for seed, each in found.items() if each is not None}

    @property
    def past_z(self) -> bool:
        """Whether its mean lies below the plateau with next to no KL: what its decoder knows of x came past z.

        Of a decoder that may know x without z, as the workload's rule says, that is no fault.
        """
        # By the mean: one seed has no interval, and tells all the same.
        below = self.over_seeds("score").mean < self.plateau - self.workload.score.margin
        return self.workload.left.by_score and below and self.over_seeds("kl_nats").mean < NO_CODE_NATS

    @property
    def grid(self) -> Grid | None:
        """How its rate lies among those tried; None where none was tuned, or none could be told from another."""
        plateau = self.plateau_validation
        if self.stored is None or self.record.learning_rate is None or not self.record.tuning or plateau is None:
            return None
        ranks = [rank(self.workload.score, self.workload.left, plateau, each) for each in self.record.tuning]
        return grid(self.record.tuning, self.record.learning_rate, self.results.plan.protocol.rates, ranks)

    def over_seeds(self, name: str) -> Interval:
        """The mean of a figure over seeds with its interval; none where a seed diverged, whatever it reached."""
        return student_t([
            math.nan if training.diverged_at is not None else value
            for value, training in zip(self._values(name), self.trainings, strict=True)
        ])  # fmt: skip

    def geometric_mean(self, name: str) -> float:
        """The geometric mean of a ratio over seeds."""
        return geometric_mean(self._values(name))

    def _values(self, name: str) -> list[float]:
        values = (getattr(training, name) for training in self.trainings)
        return [math.nan if value is None else value for value in values]


@dataclass(frozen=True)
class Table:
    """A row per cell of the plan, in its order: the summary, and in sentences what could not be computed."""

    frame: pd.DataFrame
    complaints: tuple[str, ...]


@dataclass(frozen=True)
class Results:
    """All that a store holds of its plan.

    Attributes:
        directory: The store's folder.
        plan: The plan.
        columns: What its table shows of each cell.
        found: What is stored of each cell of the plan, in its order: its record with curves, its timing, its
            confirmation, and what is wrong with any.
        whole: What these are a part of: comparisons are adjusted for all arms of a suite, whichever are looked at.
    """

    directory: Path
    plan: PlanRecord
    columns: tuple[Column, ...]
    found: tuple["Found", ...] = field(repr=False)
    whole: "Results | None" = field(default=None, repr=False)

    @classmethod
    def read(cls, store: Store, columns: Sequence[Column], arms: Sequence[str] | None = None) -> "Results":
        """The results of a run, or of some of its arms; each file is opened once.

        Raises:
            InputError: If the store holds no plan, or one that cannot be read.
        """
        plan = store.read_plan()
        if arms is not None:
            plan = replace(plan, cells=tuple(cell for cell in plan.cells if cell.arm in arms))
        # Two arms may be one cell.
        found = {cell.identity: _find(store, cell.identity) for cell in plan.cells if cell.status == "planned"}
        return cls(store.directory, plan, tuple(columns), tuple(
            found[cell.identity] if cell.status == "planned" else Found() for cell in plan.cells
        ))  # fmt: skip

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The cells of the plan, in its order."""
        return tuple(
            Row(cell, self.plan.workloads[cell.workload], *found, self)
            for cell, found in zip(self.plan.cells, self.found, strict=True)
        )

    @property
    def stored(self) -> list[Row]:
        """The cells that are stored."""
        return [row for row in self.rows if row.stored]

    @property
    def unreadable(self) -> list[str]:
        """In a sentence each, what is stored and cannot be read."""
        return list(dict.fromkeys(row.unreadable for row in self.rows if row.unreadable))

    @cached_property
    def table(self) -> Table:
        """Every column of every cell."""
        values: dict[str, list[Any]] = {}
        complaints: dict[str, str] = {}
        for each in self.columns:
            values[each.name] = []
            for row in self.rows:
                try:
                    values[each.name].append(each.value(row))
                except InputError as error:
                    values[each.name].append(None)
                    complaints.setdefault(each.name, f"{error}, of {row.cell.arm!r} first: it is left empty there")
        types = {each.name: each.type for each in self.columns}
        return Table(pd.DataFrame(values, columns=list(types)).astype(types), tuple(complaints.values()))

    @property
    def summary(self) -> pd.DataFrame:
        """One row per cell of the plan; a cell that diverged on any seed has no mean and no interval."""
        return self.table.frame

    @cached_property
    def comparisons(self) -> dict[tuple[str, str], Comparison]:
        """Each arm beside its base, by workload and arm; adjusted for all arms of the workload."""
        return self.whole.comparisons if self.whole else self._beside_bases(lambda row: row.scores)

    @cached_property
    def confirmed(self) -> dict[tuple[str, str], Comparison]:
        """The same of the arms that were confirmed, on the seeds of that alone."""
        return self.whole.confirmed if self.whole else self._beside_bases(lambda row: row.confirming_scores)

    def _beside_bases(self, scores_of: Callable[["Row"], dict[int, float]]) -> dict[tuple[str, str], Comparison]:
        scores = {(row.cell.workload, row.cell.arm): scores_of(row) for row in self.rows}
        found: dict[tuple[str, str], Comparison] = {}
        for name, workload in self.plan.workloads.items():
            cells = [row.cell for row in self.rows if row.cell.workload == name and row.cell.arm != row.cell.base]
            pairs = {
                cell.arm: (cell.base, own, base)
                for cell in cells
                if (own := scores[name, cell.arm]) and (base := scores.get((name, cell.base)))
            }
            compared = compare(pairs, least_difference(workload.score, workload.plateau))
            found |= {(name, arm): each for arm, each in compared.items()}
        return found

    def curves(self, instruments: Iterable[str] | None = None) -> pd.DataFrame:
        """The tidy curves of the stored cells, or the named instruments' part, with the types of `CURVE_TYPES`."""
        if instruments is None:
            return _tidy(self.stored, None)
        names = tuple(instruments)
        if names not in self._curves:
            self._curves[names] = _tidy(self.stored, names)
        return self._curves[names]

    @cached_property
    def _curves(self) -> dict[tuple[str, ...], pd.DataFrame]:
        # Several plots may show one instrument.
        return {}

    def once(self, function: "Callable[[Results], F]") -> F:
        """What a function makes of these results, computed once for all that show it."""
        if function not in self._made:
            self._made[function] = function(self)
        return self._made[function]

    @cached_property
    def _made(self) -> dict[Callable[["Results"], Any], Any]:
        return {}

    @cached_property
    def workloads(self) -> dict[str, "Results"]:
        """The part of each workload, by the workload's name."""
        names = dict.fromkeys(cell.workload for cell in self.plan.cells)
        return {name: self._part([cell.workload == name for cell in self.plan.cells]) for name in names}

    @property
    def score(self) -> Score:
        """What its figures are judged by; of several workloads that differ, no name in particular."""
        return common(self.plan.workloads[cell.workload].score for cell in self.plan.cells)

    def only(self, arms: Sequence[str]) -> "Results":
        """The part of some arms."""
        return self._part([cell.arm in arms for cell in self.plan.cells])

    def _part(self, wanted: list[bool]) -> "Results":
        if all(wanted):
            return self
        cells, found = ([each for each, is_in in zip(all_, wanted, strict=True) if is_in]
                        for all_ in (self.plan.cells, self.found))  # fmt: skip
        plan = replace(self.plan, cells=tuple(cells))
        return replace(self, plan=plan, found=tuple(found), whole=self.whole or self)


def geometric_mean(ratios: Sequence[float]) -> float:
    """The geometric mean; NaN of none."""
    # A ratio of exactly 0 is a gradient that has underflowed: the mean is then 0, not an error.
    with np.errstate(divide="ignore"):
        return float(np.exp(np.mean(np.log(ratios)))) if ratios else math.nan


class Found(NamedTuple):
    """What is stored of a cell; nothing where there is none."""

    stored: StoredCell | None = None
    timing: TimingRecord | None = None
    confirmation: ConfirmationRecord | None = None
    unreadable: str = ""


def _find(store: Store, identity: str) -> Found:
    """Read a cell's record, or say in a sentence what is there and cannot be read."""
    wrong: list[UnreadableError] = []

    def usable(read: Callable[[str], F]) -> F | None:
        try:
            return read(identity)
        except OSError:
            return None
        except UnreadableError as error:
            wrong.append(error)
            return None

    stored, timing, confirmation = usable(store.load), usable(store.load_timing), usable(store.load_confirmation)
    if confirmation and not (stored and stored.record.learning_rate == confirmation.learning_rate):
        confirmation = None
    model = usable(lambda identity: store.load_model(identity, (EXAMPLES,)))
    if stored and model:
        stored = replace(stored, examples=model.files[EXAMPLES])
    cure = "give the run's command again, which keeps that file and measures anew"
    return Found(stored, timing, confirmation, "".join(f"{error}: {cure}" for error in wrong[:1]))


def _tidy(rows: Iterable[Row], instruments: Iterable[str] | None) -> pd.DataFrame:
    names = None if instruments is None else list(instruments)
    frames = [
        row.stored.curves(names).assign(workload=row.cell.workload, arm=row.cell.arm) for row in rows if row.stored
    ]
    frame = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(CURVE_COLUMNS))
    return frame.reindex(columns=list(CURVE_COLUMNS)).astype(CURVE_TYPES)
