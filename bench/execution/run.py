"""One run of a suite: which cells are missing, their execution, their timing, and what is stored of them."""

import subprocess
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from bench.execution.local import Executor, TrainingsEnded
from bench.execution.process import Failure
from bench.planning.identity import versions
from bench.planning.plan import Cell, Plan
from bench.results.store import CURVE_COLUMNS, DamagedRecordError, Store
from bench.training.cell import Unchanged
from bench.training.record import manifest as make_manifest

# Results of a training; any other status is an accident, and the same command tries the cell again.
RESULTS = ("ok", "diverged")

# A cell that takes this many times what it should, and these seconds more, hangs.
_PATIENCE = 20
_PATIENCE_SECONDS = 300

# To time a program, on two cores.
_TIMING_SECONDS = 1.5


@dataclass(frozen=True)
class CellStored:
    """A cell has ended and is stored; or what was stored of it is kept, since its programs came out the same."""

    manifest: dict[str, Any]
    kept: bool = False


@dataclass(frozen=True)
class ProgramTimed:
    """A program has been timed alone on the machine, or why it could not be."""

    done: int
    of: int
    arm: str
    failure: Failure | None


@dataclass
class Work:
    """What a plan still needs.

    Attributes:
        plan: The plan.
        store: Where its cells are.
        timing: Whether speed is to be measured.
        missing: Cells without a result.
        known: For those of them that were answered by other sources: the stored identities, by fingerprint.
        damaged: What is wrong with records that are there and cannot be trusted, by their identities.
        trained_seconds: How long each stored cell took to train, as far as its record says so.
    """

    plan: Plan
    store: Store
    timing: bool = True
    missing: list[Cell] = field(default_factory=list)
    known: dict[str, dict[str, str]] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)
    trained_seconds: list[float] = field(default_factory=list)

    def __post_init__(self):
        stored = self.store.identities()
        for cell in self.plan.planned:
            manifest = None
            if cell.identity in stored:
                try:
                    manifest = self.store.require(cell.identity)
                except DamagedRecordError as damage:
                    self.damaged[cell.identity] = str(damage)
            if manifest is None or manifest["status"] not in RESULTS:
                self.missing.append(cell)
            elif manifest["train_seconds"] is not None:
                self.trained_seconds.append(manifest["train_seconds"])
        same_question: dict[str, list[str]] = {}
        for identity in stored:
            same_question.setdefault(identity.partition("-")[0], []).append(identity)
        for cell in self.missing:
            manifests = [
                self.store.read(each) for each in same_question.get(cell.question, []) if each != cell.identity
            ]
            answers = {m["program"]: m["identity"] for m in manifests if m and m["status"] in RESULTS}
            if answers:
                self.known[cell.identity] = answers

    def expected_seconds(self, workers: int) -> float:
        """How long it may take: a cell as long as those that are stored, or by first readings where none is."""
        side_by_side = max(1, min(workers, len(self.missing)))
        if self.trained_seconds:
            training = len(self.missing) * fmean(self.trained_seconds)
        else:
            training = self.plan.expected_seconds(self.missing)
        programs = len({cell.program for cell in self.untimed})
        return training / side_by_side + programs * _TIMING_SECONDS

    @property
    def untimed(self) -> list[Cell]:
        """Cells whose speed is to be measured, and was not."""
        if not self.timing:
            return []
        return [cell for cell in self.plan.planned if self.store.read_timing(cell.identity) is None]


def execute(work: Work, executor: Executor) -> Generator[TrainingsEnded | CellStored | ProgramTimed]:
    """Run what is missing, then time what is untimed, storing each as it ends.

    Args:
        work: From a plan.
        executor: What runs cells; ended when they are done.
    """
    if not work.missing and not work.untimed:
        return
    plan, store, commit = work.plan, work.store, current_commit()
    limit = _PATIENCE_SECONDS + _PATIENCE * plan.expected_seconds([plan.baseline])
    for identity in work.damaged:
        store.set_aside(identity)
    jobs = [plan.job(cell, commit, work.known.get(cell.identity)) for cell in work.missing]
    with executor:
        for event in executor.run(jobs, limit):
            if isinstance(event, TrainingsEnded):
                yield event
                continue
            if isinstance(event.outcome, Unchanged):
                yield CellStored(store.adopt(event.outcome.identity, event.job.cell.identity), kept=True)
                continue
            if isinstance(event.outcome, Failure):
                failure = event.outcome
                about = {"status": failure.status, "reason": failure.reason, "traceback": failure.traceback}
                manifest, curves = make_manifest(event.job, **about, versions=versions()), _no_curves()
            else:
                manifest, curves = event.outcome
            store.write(manifest, curves)
            yield CellStored(manifest)
        yield from _time(work, executor, commit, limit)


def _time(work: Work, executor: Executor, commit: str | None, limit: float) -> Iterator[ProgramTimed]:
    plan, store = work.plan, work.store
    baseline = plan.job(plan.baseline, commit)
    stored = [(cell, store.read(cell.identity)) for cell in work.untimed]
    rated = [(cell, manifest) for cell, manifest in stored if manifest and manifest["learning_rate"] is not None]
    # Cells of one program differ in numbers only: they run equally fast, and are timed once.
    programs: dict[int, list[Cell]] = {}
    for cell, _ in rated:
        programs.setdefault(cell.program, []).append(cell)
    rates = {cell.identity: manifest["learning_rate"] for cell, manifest in rated}
    for done, cells in enumerate(programs.values(), start=1):
        first = cells[0]
        timing = executor.time(plan.job(first, commit), rates[first.identity], baseline, limit)
        if not isinstance(timing, Failure):
            for cell in cells:
                store.write_timing(cell.identity, timing)
        yield ProgramTimed(done, len(programs), first.arm, timing if isinstance(timing, Failure) else None)


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
