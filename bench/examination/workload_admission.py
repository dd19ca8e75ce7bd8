"""The admission test of a workload: its data hold, its plateau is known, and every base of it trains."""

import time
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from bench.examination.check_result import FAILED, OK, CheckError, CheckResult, said_of
from bench.language.figures import figure
from bench.planning.catalogue import Catalogue
from bench.planning.compose import build_workload
from bench.planning.job import Job
from bench.planning.loaded_workload import LoadedWorkload, digest, load_workload
from bench.planning.protocol import Protocol
from bench.results.stored.records import PlannedCell
from bench.training.cell import Ran, run_cell
from vae_jax.models.batch import examples

# As short as shows that it trains: what is tried out often must not be waited for.
_PROTOCOL = Protocol(steps=40, seeds=2, rates=1, record_every=10, validate_every=20)
_SECONDS = 60


def workload_results(catalogue: Catalogue, name: str, plugins: tuple[str, ...]) -> Iterator[CheckResult]:
    """Each check of one workload at its defaults, as it ends.

    Args:
        catalogue: Where it is.
        name: Of the workload.
        plugins: The files and folders that were loaded into the catalogue.
    """
    kind = catalogue.workloads[name]
    yield CheckResult(name, "says what it is", OK, kind.description.partition("\n")[0])

    def ended(check: str, found: Callable[[], str]) -> CheckResult:
        try:
            return CheckResult(name, check, OK, found())
        except (Exception, SystemExit) as error:
            return CheckResult(name, check, FAILED, said_of(error, kind.function))

    yield (held := ended("its data hold", lambda: _data(catalogue, load_workload(catalogue, name))))
    # Without them there is nothing to train on.
    if held.status == OK:
        yield ended("its plateau is known", lambda: _plateau(load_workload(catalogue, name)))
        for base in load_workload(catalogue, name).workload.bases:
            yield ended(f"{base} trains", lambda base=base: _trains(load_workload(catalogue, name), base, plugins))


def _data(catalogue: Catalogue, loaded: LoadedWorkload) -> str:
    """How many there are, if they are the same whenever they are asked for."""
    data = loaded.dataset
    if digest(build_workload(catalogue, loaded.text)[1].data()) != loaded.digest:
        raise CheckError("loaded a second time they are others: draw with a seed of their own, as default_rng(0)")
    sizes = " / ".join(f"{examples(rows):,}" for rows in (data.train, data.validation, data.test))
    return data.description or f"{sizes} examples for training, validation and test"


def _plateau(loaded: LoadedWorkload) -> str:
    score = loaded.workload.score
    return f"{figure(loaded.plateau)} {score.unit} on test, {figure(loaded.plateau_validation)} on validation"


def _not_finite(curves: pd.DataFrame) -> list[str]:
    """Instruments that read infinity, or at some record of some stack not one number.

    A layer may be of no example in a batch: a step that only the longest sentences have.
    """
    record = [name for name in curves.columns if name not in ("layer", "value")]
    whole = curves.assign(value=np.isfinite(curves["value"])).groupby(record, dropna=False)["value"].any()
    nothing = whole[~whole].reset_index()["instrument"]
    return sorted({*nothing, *curves["instrument"][np.isinf(curves["value"])]})


def _trains(loaded: LoadedWorkload, base: str, plugins: tuple[str, ...]) -> str:
    """The score and the verdict of a short cell of the base's, and how long its steps took."""
    ends: list[float] = []
    job = Job(
        PlannedCell(loaded.text, base, base, "base", "", 0),
        _PROTOCOL,
        loaded.plateau,
        loaded.plateau_validation,
        plugins,
    )
    outcome = run_cell(job, lambda: ends.append(time.perf_counter()))
    # Nothing is stored that could stand for it.
    assert isinstance(outcome, Ran)
    record, curves = outcome.record, outcome.curves
    if record.status != "ok":
        raise CheckError(f"{record.status} within {_PROTOCOL.steps} steps: {record.reason}")
    training = record.trainings[0]
    if broken := _not_finite(curves):
        raise CheckError(f"{', '.join(broken)} read what is not finite")
    # The first training compiles, the second only takes its steps.
    seconds = ends[1] - ends[0]
    if seconds > _SECONDS:
        raise CheckError(
            f"{_PROTOCOL.steps} steps take {seconds:.0f} s, and must end within {_SECONDS}: choose smaller defaults"
        )
    score = loaded.workload.score
    verdict = f"; {training.verdict}" if training.verdict else ""
    return f"{score.name} {figure(training.score)} {score.unit} after {_PROTOCOL.steps} steps, {seconds:.1f} s{verdict}"
