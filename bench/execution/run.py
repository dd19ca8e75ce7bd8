"""One run of a suite: which cells are missing, their execution, their timing, and what is stored of them."""

import subprocess
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, TypeVar

import pandas as pd

from bench.execution.executor import Executor, Failure, TrainingsEnded
from bench.planning.identity import versions
from bench.planning.job import Known
from bench.planning.plan import Plan
from bench.results.confirmation import to_confirm
from bench.results.results import Results
from bench.results.stored.records import CellRecord, PlannedCell
from bench.results.stored.saved_model import has_model
from bench.results.stored.store import CURVE_COLUMNS, Store, UnreadableError
from bench.training.cell import Confirmed, Ran, Unchanged
from bench.training.record import cell_record

R = TypeVar("R")

# Results of a training; any other status is an accident, and the same command tries the cell again.
RESULTS = ("ok", "diverged")

# A cell that takes this many times what it should, and these seconds more, hangs.
_PATIENCE = 20
_PATIENCE_SECONDS = 300

# To time a program, on two cores.
_TIMING_SECONDS = 1.5


@dataclass(frozen=True)
class CellStored:
    """A cell has ended and is stored; or what was stored of it is kept, since its programs came out the same.

    Attributes:
        record: Its record.
        kept: Whether a stored one stands for it.
        unsaved: Why there is no model of it, where one was wanted.
    """

    record: CellRecord
    kept: bool = False
    unsaved: str = ""


@dataclass(frozen=True)
class ProgramTimed:
    """A program has been timed alone on the machine, or why it could not be."""

    done: int
    of: int
    arm: str
    failure: Failure | None


@dataclass(frozen=True)
class CellConfirmed:
    """An arm has been trained on further seeds, or why it could not be."""

    done: int
    of: int
    arm: str
    seeds: int
    failure: Failure | None


@dataclass(frozen=True)
class Work:
    """All that a plan still needs.

    Attributes:
        plan: The plan.
        store: Where its cells are.
        missing: Cells without a result.
        known: For those of them that were answered by other sources: the stored identities, by fingerprint.
        untimed: Cells whose speed is to be measured, and was not.
        unreadable: In a sentence each, what is stored under the plan's names and cannot be used.
        trained_seconds: How long each stored cell took to train, as far as its record says so.
        save: Whether models are wanted.
        unsaved: Those of the missing cells that are stored, but for their model.
    """

    plan: Plan
    store: Store
    missing: tuple[PlannedCell, ...]
    known: dict[str, dict[str, Known]]
    untimed: tuple[PlannedCell, ...]
    unreadable: tuple[str, ...]
    trained_seconds: tuple[float, ...]
    save: bool = False
    unsaved: tuple[PlannedCell, ...] = ()

    def expected_seconds(self, workers: int) -> float:
        """How long it may take: a cell as long as those that are stored, or by first readings where none is."""
        side_by_side = max(1, min(workers, len(self.missing)))
        if self.trained_seconds:
            training = len(self.missing) * fmean(self.trained_seconds)
        else:
            training = self.plan.expected_seconds(list(self.missing))
        programs = len({cell.program for cell in self.untimed})
        return training / side_by_side + programs * _TIMING_SECONDS

    @property
    def model_bytes(self) -> int:
        """How much the models that are to be saved hold."""
        return sum(map(self.plan.model_bytes, self.missing)) if self.save else 0


def find_work(plan: Plan, store: Store, timing: bool = True, verify: bool = False, save: bool = False) -> Work:
    """The work that a plan still needs, by what is in a store.

    Args:
        plan: The plan.
        store: Where its cells are, or will be.
        timing: Whether speed is to be measured.
        verify: Whether to lower what is stored again, and to trust it only where that comes out the same.
        save: Whether each cell's model is wanted too: a cell that is stored without it is run again for it.
    """
    unreadable: list[str] = []

    def usable(read: Callable[[], R], end: str) -> R | None:
        try:
            return read()
        except OSError:
            return None
        except UnreadableError as error:
            unreadable.append(f"{error}; {end}a run keeps that file in set_aside/")
            return None

    usable(store.load_plan, "")
    planned, results = dict.fromkeys(cell.identity for cell in plan.planned), dict[str, CellRecord]()
    questions = {cell.question for cell in plan.planned}
    # What answers another question is of no use here.
    for identity in sorted(each for each in store.identities() if each.partition("-")[0] in questions):
        if identity in planned:
            stored = usable(lambda identity=identity: store.load(identity), "its cell runs anew, and ")
            record = stored and stored.record
        else:
            record = store.read(identity)
        if record and record.status in RESULTS:
            results[identity] = record
    timed = {
        identity for identity in planned
        if timing and usable(lambda identity=identity: store.load_timing(identity), "it is timed anew, and ")
    }  # fmt: skip

    def complete(record: CellRecord) -> bool:
        """Whether nothing of a cell is wanted that is not stored."""
        identity, end = record.identity, "its model is trained anew, and "
        return not save or not has_model(record) or usable(lambda: store.load_model(identity), end) is not None

    whole = {identity: record for identity, record in results.items() if complete(record)}
    missing = tuple(cell for cell in plan.planned if verify or cell.identity not in whole)
    known: dict[str, dict[str, Known]] = {}
    for cell in missing:
        same_question = [each for each in whole.values() if each.identity.partition("-")[0] == cell.question]
        if same_question:
            known[cell.identity] = {str(each.program): Known(each.identity, each.trainings) for each in same_question}
    seconds = (results[identity].train_seconds for identity in planned if identity in results)
    return Work(
        plan, store, missing, known,
        tuple(cell for cell in plan.planned if timing and cell.identity not in timed), tuple(unreadable),
        tuple(each for each in seconds if each is not None), save,
        tuple(cell for cell in missing if cell.identity in results.keys() - whole.keys()),
    )  # fmt: skip


def execute(work: Work, executor: Executor) -> Generator[TrainingsEnded | CellStored | CellConfirmed | ProgramTimed]:
    """Run what is missing, confirm what is best where that is asked, then time what is untimed; store each as it ends.

    Args:
        work: From a plan.
        executor: What runs cells; whoever gives it ends it.
    """
    if not work.missing and not work.untimed and not _unconfirmed(work):
        return
    plan, store, commit = work.plan, work.store, current_commit()
    limit = _PATIENCE_SECONDS + _PATIENCE * plan.expected_seconds([plan.baseline])
    jobs = [replace(plan.job(cell, commit, work.known.get(cell.identity)), save=work.save) for cell in work.missing]
    for event in executor.run(jobs, limit):
        if isinstance(event, TrainingsEnded):
            yield event
            continue
        if isinstance(event.outcome, Unchanged):
            kept = store.adopt(event.outcome.identity, event.job.cell.identity, event.outcome.explanation)
            yield CellStored(kept, kept=True)
            continue
        if isinstance(event.outcome, Failure):
            failure = event.outcome
            about = {"status": failure.status, "reason": failure.reason, "traceback": failure.traceback}
            record, curves, model = cell_record(event.job, **about, versions=versions()), _no_curves(), None
        else:
            assert isinstance(event.outcome, Ran)
            record, curves, model = event.outcome
        stored = store.read(record.identity)
        trusted = stored if stored is not None and stored.status in RESULTS else None
        # One that was run for its model alone has the figures that are stored, and they stay.
        if not (work.save and trusted and _figures(trusted) == _figures(record)):
            if trusted:
                # It has been verified, and has come out different: what was trusted till now is not lost.
                store.set_aside(record.identity)
            store.write(record, curves)
        if model is not None:
            store.write_model(model)
        diverged = work.save and record.status in RESULTS and model is None
        yield CellStored(record, unsaved="its first seed's training diverged" if diverged else "")
    yield from _confirm(work, executor, commit, limit)
    yield from _time(work, executor, commit, limit)


def _unconfirmed(work: Work) -> list[CellRecord]:
    """The cells that are to be confirmed, and are not."""
    if not work.plan.confirm:
        return []
    rows = to_confirm(Results.read(work.store, ()))
    # Two arms may be one cell; and the store's plan may be of more workloads than this one.
    own = {cell.identity for cell in work.plan.planned}
    unconfirmed = {row.cell.identity: row.record for row in rows if row.confirmation is None}
    return [record for identity, record in unconfirmed.items() if identity in own]


def _confirm(work: Work, executor: Executor, commit: str | None, limit: float) -> Iterator[CellConfirmed]:
    cells = {cell.identity: cell for cell in work.plan.planned}
    wanted = [(cells[record.identity], record.learning_rate) for record in _unconfirmed(work)]
    jobs = [replace(work.plan.job(cell, commit), confirms=rate) for cell, rate in wanted]
    done = 0
    for event in executor.run(jobs, limit) if jobs else ():
        # Not told: the bar is of the suite's own trainings.
        if isinstance(event, TrainingsEnded):
            continue
        done += 1
        failure = event.outcome if isinstance(event.outcome, Failure) else None
        if isinstance(event.outcome, Confirmed):
            work.store.write_confirmation(event.outcome.record)
        yield CellConfirmed(done, len(jobs), event.job.cell.arm, event.job.most_trainings, failure)


def _time(work: Work, executor: Executor, commit: str | None, limit: float) -> Iterator[ProgramTimed]:
    plan, store = work.plan, work.store
    baseline = plan.job(plan.baseline, commit)
    # A cell may have been given a stored one's timing since.
    untimed = [cell for cell in work.untimed if store.read_timing(cell.identity) is None]
    records = {cell.identity: store.read(cell.identity) for cell in untimed}
    rates = {identity: rate for identity, record in records.items() if record and (rate := record.learning_rate)}
    # Cells of one program differ in numbers only: they run equally fast, and are timed once.
    programs: dict[int, list[PlannedCell]] = {}
    for cell in untimed:
        if cell.identity in rates:
            programs.setdefault(cell.program, []).append(cell)
    jobs = [(plan.job(cells[0], commit), rates[cells[0].identity]) for cells in programs.values()]
    timings = executor.time(jobs, baseline, limit)
    for done, (cells, timing) in enumerate(zip(programs.values(), timings, strict=True), start=1):
        if not isinstance(timing, Failure):
            for cell in cells:
                store.write_timing(cell.identity, timing)
        yield ProgramTimed(done, len(programs), cells[0].arm, timing if isinstance(timing, Failure) else None)


def _figures(record: CellRecord) -> tuple[Any, ...]:
    return record.program, record.tuning, record.trainings


def current_commit() -> str | None:
    """The commit of this source tree, marked where it was changed since; None outside a checkout."""
    root = Path(__file__).parents[2]

    def git(*arguments: str) -> str:
        answer = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
        return answer.stdout.strip()

    try:
        # An installed package may lie inside somebody else's checkout.
        ours = git("rev-parse", "--show-toplevel") == str(root)
        return git("describe", "--always", "--dirty", "--abbrev=12", "--exclude=*") or None if ours else None
    except OSError:
        return None


def _no_curves() -> pd.DataFrame:
    return pd.DataFrame({name: [] for name in CURVE_COLUMNS})
