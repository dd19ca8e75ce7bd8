"""One cell, from its question to its record: tuned, chosen, reported."""

import functools
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from bench.language.errors import InputError
from bench.planning.identity import versions
from bench.planning.job import Job
from bench.planning.tuning import tune
from bench.plugins.reads import recorded
from bench.results.judging.tuned import STUCK, rank
from bench.results.stored.records import CellRecord, ConfirmationRecord, TrainingRecord
from bench.results.stored.saved_model import SavedModel, has_model
from bench.training.arm_trainer import ArmTrainer
from bench.training.curves import CurveWriter
from bench.training.explanation import explain
from bench.training.machine import describe_device
from bench.training.record import cell_record, confirmation_record, outcome
from bench.training.saving import saved
from vae_jax.evaluation.coding import Trained


@dataclass(frozen=True)
class Unchanged:
    """A stored cell asked the same, and its programs and arguments are these: its figures stand.

    Attributes:
        identity: The stored cell's.
        explanation: What verdicts, theory and blame say now, of the same figures and initial weights.
    """

    identity: str
    explanation: dict[str, Any]


class Confirmed(NamedTuple):
    """A cell that was confirmed: only trained on other seeds, at its rate."""

    record: ConfirmationRecord


class Ran(NamedTuple):
    """A cell that was run: its record, its curves, and its model where one was wanted and did not diverge."""

    record: CellRecord
    curves: pd.DataFrame
    model: SavedModel | None = None


def run_cell(job: Job, tell: Callable[[], None]) -> Ran | Unchanged | Confirmed:
    """Tune and report one arm, unless a stored cell has the figures already; or confirm it, where that is asked.

    Args:
        job: What to run.
        tell: Called after each training.

    Returns:
        What came of it; or which stored cell is this one in all but its sources.
    """
    started = time.perf_counter()
    trainer = ArmTrainer(job)
    with trainer.computing():
        return _run(trainer, job, tell, started) if job.confirms is None else _confirm(trainer, job, tell)


def _confirm(trainer: ArmTrainer, job: Job, tell: Callable[[], None]) -> Confirmed:
    wanted = [(seed, job.confirms) for seed in trainer.protocol.confirming_seeds if job.confirms is not None]
    trainings = trainer.trainings(wanted, "test", "confirming", CurveWriter(), tell)
    return Confirmed(confirmation_record(job, tuple(trainings)))


def _run(trainer: ArmTrainer, job: Job, tell: Callable[[], None], started: float) -> Ran | Unchanged:
    with recorded() as reads:
        fingerprint = trainer.fingerprint()
    if words := reads.words():
        # What a program was traced from is nowhere in the identity.
        raise InputError(
            f"arm {job.cell.arm!r} {' and '.join(words)} while it is traced: a figure may rest on that; read it when "
            "the plugin is loaded, at the top of its file"
        )
    if fingerprint in job.known:
        known = job.known[fingerprint]
        return Unchanged(
            known.identity, explain(trainer, job.protocol.reporting_seeds[0], known.trainings, job.tangent_kernel)
        )
    protocol, curves = trainer.protocol, CurveWriter()
    judged = functools.partial(rank, trainer.workload.score, trainer.workload.left, job.plateau_validation)
    tuning, chosen = tune(
        protocol,
        trainer.recipe.learning_rate,
        lambda wanted: trainer.trainings(wanted, "validation", "tuning", curves, tell),
        judged,
    )
    reporting: list[TrainingRecord] = []
    left: list[Trained] = []
    if chosen is not None:
        seeds = [(seed, chosen) for seed in protocol.reporting_seeds]
        reporting = trainer.trainings(seeds, "test", "reporting", curves, tell, left.append if job.save else None)
    if protocol.patience:
        judge = functools.partial(rank, trainer.workload.score, trainer.workload.left, job.plateau)
        stuck = [(each.seed, each.learning_rate) for each in reporting if judge(each).kind == STUCK]
        trainer.patient().trainings(stuck, "validation", "prolonged", curves, tell)
    status, reason = outcome(tuning, reporting)
    found = cell_record(
        job,
        status=status,
        reason=reason,
        recipe=trainer.recipe.describe(),
        changes={
            slot: (trainer.baseline.describe()[slot], trainer.recipe.describe()[slot])
            for slot in trainer.recipe.changes(trainer.baseline)
        },
        learning_rate=chosen,
        tuning=tuning,
        parameters=trainer.parameters,
        gradient_evaluations=trainer.gradient_evaluations,
        **explain(trainer, protocol.reporting_seeds[0], reporting, job.tangent_kernel),
        program=fingerprint,
        compile_seconds=trainer.program.compiled.seconds,
        memory_bytes=trainer.program.compiled.memory_bytes,
        train_seconds=time.perf_counter() - started,
        versions={"python": platform.python_version(), **versions()},
        device=describe_device(),
    )
    ended = bool(left) and has_model(found)
    return Ran(found, curves.frame(), saved(trainer, job, reporting[0], *left) if ended else None)
