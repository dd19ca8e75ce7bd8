"""A run whose models are saved, made in this process."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.planning.catalogue import load_catalogue
from bench.planning.plan import make_plan
from bench.results.stored.saved_model import has_model
from bench.results.stored.store import Store
from bench.training.arm_trainer import ArmTrainer
from bench.training.curves import CurveWriter
from bench.training.record import cell_record, outcome
from bench.training.saving import saved


def save(directory: Path, workload: str, arms: str, *, steps: int = 30, plugins: tuple[str, ...] = ()) -> Store:
    """Train arms on a workload, one seed at the arm's own rate, and store their cells with their models.

    Nothing is tuned, measured or explained, which is what takes most of a cell's time.
    """
    catalogue = load_catalogue(plugins)
    sizes: dict[str, Any] = {"seeds": 1, "rates": 1, "steps": steps, "plugins": plugins}
    plan = make_plan(catalogue, suite="smoke", workload=workload, arms=arms, **sizes)
    store = Store(directory)
    store.require_writable()
    store.write_plan(plan.describe("python -m bench run"))
    for cell in plan.planned:
        job = plan.job(cell)
        trainer, curves, left = ArmTrainer(replace(job, save=True)), CurveWriter(), []
        trainer.instruments = ()
        with trainer.computing():
            wanted = [(1, trainer.recipe.learning_rate)]
            # A training that only tunes is not judged.
            trainings = trainer.trainings(wanted, "test", "tuning", curves, lambda: None, left.append)
            status, reason = outcome([], trainings)
            record = cell_record(
                job, status=status, reason=reason, trainings=tuple(trainings), learning_rate=wanted[0][1]
            )
            store.write(record, curves.frame().assign(workload=cell.workload, arm=cell.arm))
            if has_model(record):
                store.write_model(saved(trainer, job, trainings[0], *left))
    return store
