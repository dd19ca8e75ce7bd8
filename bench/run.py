"""One run of a suite: which cells are missing, their execution, their timing, and what is stored of them."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from bench.device import Device
from bench.executor import LocalExecutor, TrainingsEnded
from bench.plan import Cell, Plan, versions
from bench.store import CURVE_COLUMNS, Store
from bench.worker import Failure

# Results of a training; any other status is an accident, and the same command tries the cell again.
RESULTS = ("ok", "diverged")

# A cell that takes this many times what it should, and these seconds more, hangs.
_PATIENCE = 20
_PATIENCE_SECONDS = 300


@dataclass(frozen=True)
class CellStored:
    """A cell has ended and is stored."""

    manifest: dict[str, Any]


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
        untimed: Cells with a result, or that will have one, whose speed was not measured.
    """

    plan: Plan
    store: Store
    timing: bool = True
    missing: list[Cell] = field(default_factory=list)
    untimed: list[Cell] = field(default_factory=list)

    def __post_init__(self):
        for cell in self.plan.planned:
            manifest = self.store.read(cell.identity)
            if manifest is None or manifest["status"] not in RESULTS:
                self.missing.append(cell)
            if self.timing and self.store.read_timing(cell.identity) is None:
                self.untimed.append(cell)


def default_cache() -> Path:
    """The folder of the persistent compilation cache: `VAE_JAX_CACHE`, or below the user's cache folder."""
    named = os.environ.get("VAE_JAX_CACHE")
    return Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "vae-jax"


def execute(work: Work, device: Device, workers: int) -> Iterator[TrainingsEnded | CellStored | ProgramTimed]:
    """Run what is missing, then time what is untimed, storing each as it ends.

    Args:
        work: From a plan.
        device: What to run on.
        workers: Worker processes.
    """
    if not work.missing and not work.untimed:
        return
    plan, store, commit = work.plan, work.store, current_commit()
    limit = _PATIENCE_SECONDS + _PATIENCE * plan.expected_seconds([plan.baseline], 1)
    jobs = [plan.job(cell, commit) for cell in work.missing]
    with LocalExecutor(device.platform, workers, default_cache()) as executor:
        for event in executor.run(jobs, limit):
            if isinstance(event, TrainingsEnded):
                yield event
                continue
            if isinstance(event.outcome, Failure):
                manifest, curves = _failed(event.job.cell, event.outcome, plan, commit), _no_curves()
            else:
                manifest, curves = event.outcome
            store.write(manifest, curves)
            yield CellStored(manifest)
        yield from _time(work, executor, commit, limit)


def _time(work: Work, executor: LocalExecutor, commit: str | None, limit: float) -> Iterator[ProgramTimed]:
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
    root = Path(__file__).parent.parent

    def git(*arguments: str) -> str:
        answer = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
        return answer.stdout.strip()

    try:
        # An installed package may lie inside somebody else's checkout.
        ours = git("rev-parse", "--show-toplevel") == str(root)
        return git("describe", "--always", "--dirty", "--abbrev=12", "--exclude=*") or None if ours else None
    except OSError:
        return None


def _failed(cell: Cell, failure: Failure, plan: Plan, commit: str | None) -> dict[str, Any]:
    about: Sequence[str] = ("identity", "workload", "arm", "base", "family")
    return {
        **{name: getattr(cell, name) for name in about},
        "status": failure.status,
        "reason": failure.reason,
        "traceback": failure.traceback,
        "recipe": {},
        "changes": {},
        "plateau": plan.plateau,
        "learning_rate": None,
        "rate_at_edge": False,
        "tuning": [],
        "trainings": [],
        "parameters": None,
        "gradient_evaluations": plan.protocol.steps,
        "compile_seconds": None,
        "train_seconds": None,
        "versions": versions(),
        "commit": commit,
        "device": {},
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _no_curves() -> pd.DataFrame:
    return pd.DataFrame({name: [] for name in CURVE_COLUMNS})
