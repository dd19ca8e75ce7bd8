"""What is kept of an arm's model: its numbers, what they are of, and a few examples of what it does."""

import jax
import numpy as np

from bench.language.errors import InputError
from bench.planning.identity import own_code, versions
from bench.planning.job import Job
from bench.results.stored.records import TrainingRecord
from bench.results.stored.saved_model import (
    EXAMPLES,
    TENSORS,
    ModelRecord,
    SavedModel,
    checksum,
    describe_arrays,
    pack,
    pack_examples,
)
from bench.training.arm_trainer import ArmTrainer
from bench.training.trained_model import TrainedModel
from vae_jax.evaluation.coding import Trained, paths
from vae_jax.models.batch import Rows, examples

# As many as stand side by side on a page.
_BESIDE = 8
_SAMPLES = 2 * _BESIDE
_BETWEEN = 3

# A page shows the same draws of every arm's prior.
_SEED = 0


def saved(trainer: ArmTrainer, job: Job, training: TrainingRecord, numbers: Trained) -> SavedModel:
    """The model of a training, to be stored.

    Args:
        trainer: The arm's.
        job: The cell's.
        training: Its record.
        numbers: What was left of it, on the host.
    """
    arrays, workload = paths(numbers), trainer.workload
    model = TrainedModel(job.cell.arm, workload, trainer.recipe, numbers)
    files = {
        TENSORS: pack(arrays),
        EXAMPLES: pack_examples(_examples(model, jax.device_get(trainer.held_out["test"]))),
    }
    record = ModelRecord(
        identity=job.cell.identity,
        workload=job.cell.workload,
        arm=job.cell.arm,
        seed=training.seed,
        learning_rate=training.learning_rate,
        steps=job.protocol.steps,
        data=trainer.data_digest,
        recipe=trainer.recipe.describe(),
        likelihood=repr(workload.architecture.likelihood),
        presentation=repr(workload.architecture.present),
        own_code=own_code(trainer.recipe, workload.architecture).digest(),
        plugins=job.plugins,
        medium=workload.medium.describe() if workload.medium else {},
        versions=versions(),
        arrays=describe_arrays(arrays),
        checksums={ending: checksum(content) for ending, content in files.items()},
    )
    return SavedModel(record, files)


def _examples(model: TrainedModel, rows: Rows) -> dict[str, np.ndarray]:
    """What a page shows of a model: reconstructions, draws of its prior, and the way from one example to the next."""
    medium = model.workload.medium
    few = jax.tree.map(lambda leaf: leaf[:_BESIDE], rows)
    if medium is None or not model.has_code or medium.shown(few) is None:
        return {}
    codes = model.encode(few)
    try:
        made = {"reconstructions": model.decode(codes)}
    except InputError:
        # Its decoder reads more of an example than the code.
        return {}
    if model.has_prior:
        made["samples"] = model.sample(_SAMPLES, _SEED)
    pairs = min(_BETWEEN, examples(few) - 1)
    steps = np.linspace(0, 1, _BESIDE, dtype=codes.dtype)[:, None]
    ways = [(1 - steps) * codes[start] + steps * codes[start + 1] for start in range(pairs)]
    if ways:
        made["interpolations"] = model.decode(np.concatenate(ways))
    return {name: medium.shown(each) for name, each in {"originals": few, **made}.items()}  # type: ignore
