"""One cell, from its question to its record: tuned, chosen, reported."""

import math
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from bench.planning.identity import versions
from bench.planning.plan import Job
from bench.results.records import CellRecord, TrainingRecord
from bench.training.arm_trainer import Bench
from bench.training.curves import CurveWriter
from bench.training.explanation import explain
from bench.training.machine import describe_device
from bench.training.record import cell_record, commonest_verdict, outcome


@dataclass(frozen=True)
class Unchanged:
    """A stored cell asked the same, and its programs and arguments are these: its figures stand.

    Attributes:
        identity: The stored cell's.
    """

    identity: str


def run_cell(job: Job, tell: Callable[[], None]) -> tuple[CellRecord, pd.DataFrame] | Unchanged:
    """Tune and report one arm, unless a stored cell has the figures already.

    Args:
        job: What to run.
        tell: Called after each training.

    Returns:
        The cell's record and its curves; or which stored cell is this one in all but its sources.
    """
    started = time.perf_counter()
    bench = Bench(job)
    with bench.computing():
        return _run(bench, job, tell, started)


def _run(
    bench: Bench, job: Job, tell: Callable[[], None], started: float
) -> tuple[CellRecord, pd.DataFrame] | Unchanged:
    fingerprint = bench.fingerprint()
    if fingerprint in job.known:
        return Unchanged(job.known[fingerprint])
    protocol, curves, rates = job.protocol, CurveWriter(job.protocol), bench.rates
    seeds = [(protocol.tuning_seed, rate) for rate in rates]
    tuning = bench.trainings(seeds, "validation", "tuning", curves, tell)
    validated = [math.nan if each.negative_elbo is None else each.negative_elbo for each in tuning]
    chosen = protocol.select(rates, validated)
    reporting: list[TrainingRecord] = []
    if chosen is not None:
        seeds = [(seed, rates[chosen]) for seed in protocol.reporting_seeds]
        reporting = bench.trainings(seeds, "test", "reporting", curves, tell)
    status, reason = outcome(tuning, reporting)
    verdict, agreeing = commonest_verdict(reporting)
    found = cell_record(
        job,
        status=status,
        reason=reason,
        recipe=bench.recipe.describe(),
        changes={
            slot: (bench.baseline.describe()[slot], bench.recipe.describe()[slot])
            for slot in bench.recipe.changes(bench.baseline)
        },
        learning_rate=None if chosen is None else rates[chosen],
        tuning=tuple(tuning),
        trainings=tuple(reporting),
        parameters=bench.parameters,
        gradient_evaluations=bench.gradient_evaluations,
        verdict=verdict,
        verdict_seeds=agreeing,
        **explain(bench, protocol.reporting_seeds[0], verdict),
        program=fingerprint,
        compile_seconds=bench.program.compiled.seconds,
        memory_bytes=bench.program.compiled.memory_bytes,
        train_seconds=time.perf_counter() - started,
        versions={"python": platform.python_version(), **versions()},
        device=describe_device(),
    )
    return found, curves.frame()
