"""What an arm's trainings are judged, what theory expects of its first step, and which block is to blame.

Found from the figures that are stored and from the initial weights: whoever changes a rule trains nothing anew, and for
a stored cell whose programs are unchanged all of this is found again.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import jax
from flax import nnx
from jaxtyping import Array

from bench.results.judging.rescaling import rescales
from bench.results.stored.records import BlameRecord, TheoryRecord, TrainingRecord
from bench.training.arm_trainer import ArmTrainer
from bench.training.programs import program
from bench.training.record import finite
from vae_jax.diagnosis.layers.blame import blame_whole
from vae_jax.diagnosis.verdict import Code, judge
from vae_jax.evaluation.tangent_kernel import EXAMPLES, tangent_condition
from vae_jax.models.batch import Batch, Forward, Noise
from vae_jax.objective.bound import loss_parts
from vae_jax.objective.loss import structure
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.keys import named_key, random_key
from vae_jax.theory.mean_field import predict

# Verdicts on a gradient that does not arrive.
_BLAMED = ("vanishing", "exploding", "saturated")

# Layers of a stack, the input layer among them, that hold no two blocks between which a gradient could be lost.
_NO_WAY = 2


def explain(
    trainer: ArmTrainer, seed: int, trainings: Sequence[TrainingRecord], tangent_kernel: bool = False
) -> dict[str, Any]:
    """The part of a record that says it: `trainings` with their verdicts, `verdict`, the commonest, `verdict_seeds`,
    `theory`, by tower, `blame`, None where nobody is to blame, and where it is asked for `tangent_condition`, None
    where there is no such number.

    Args:
        trainer: The arm's.
        seed: Whose initial weights.
        trainings: The arm's that are reported on; of one whose gradient arrives nobody is asked.
        tangent_kernel: Whether the condition of the tangent kernel is wanted.
    """
    parameters, statistics, batch, noise = trainer.initial(seed)
    theory = predict(trainer.workload.architecture, trainer.recipe, parameters, jax.device_get(batch.inputs))
    # As many examples as a step sees.
    few = jax.tree.map(lambda leaf: leaf[: trainer.workload.batch], (batch, noise))
    reads_data = next(iter(trainer.workload.architecture.stacks.values()))
    judged = with_verdicts(trainings, trainer.recipe.describe(), sum(run.layers for run in reads_data))
    verdict, agreeing = commonest_verdict(judged)
    said: dict[str, Any] = {
        "trainings": judged,
        "verdict": verdict,
        "verdict_seeds": agreeing,
        "theory": {tower: TheoryRecord(**asdict(profile)) for tower, profile in theory.items()},
        "blame": _blamed(trainer, parameters, statistics, *few) if verdict in _BLAMED else None,
    }
    # Without it a record that is kept keeps its own.
    return finite(
        said | ({"tangent_condition": _tangent(trainer, parameters, statistics, *few)} if tangent_kernel else {})
    )


def with_verdicts(
    trainings: Sequence[TrainingRecord], recipe: dict[str, object], layers: int
) -> tuple[TrainingRecord, ...]:
    """The same trainings, each with its verdict and why; one that diverged, or of which nothing was read, has none.

    Args:
        trainings: Those that are reported on.
        recipe: Every slot's value.
        layers: Of the stack that reads the data.
    """
    rescaled = rescales(recipe)
    return tuple(_judged(each, rescaled, layers) for each in trainings)


def commonest_verdict(trainings: Sequence[TrainingRecord]) -> tuple[str, int]:
    """The word that most seeds' verdict is, and how many of them; empty where none has one."""
    words = Counter(training.verdict for training in trainings if training.verdict is not None)
    return words.most_common(1)[0] if words else ("", 0)


def _judged(training: TrainingRecord, rescaled: bool, layers: int) -> TrainingRecord:
    read = training.gradient_ratio_init, training.shared_gradient_init, training.flat_init
    if training.score is None or read == (None, None, None):
        return replace(training, verdict=None, because=None)
    ratio, shared, flat = read
    if ratio is None and shared is not None and layers > _NO_WAY:
        # There is a way that a gradient takes, and what is stored of its ratio is no number: it has overflowed.
        ratio = math.nan
    code = None
    if training.kl_nats is not None and training.active_units is not None:
        code = Code(training.kl_nats, training.active_units, training.reconstruction_share_end)
    verdict = judge(ratio, shared, flat, code, rescales=rescaled)
    return replace(training, verdict=verdict.word, because=verdict.because)


def _tangent(trainer: ArmTrainer, parameters: Any, statistics: Any, batch: Batch, noise: Noise) -> float | None:
    """The condition of the tangent kernel over the first examples, in powers of ten; None where outputs overflow."""
    architecture, recipe = trainer.workload.architecture, trainer.recipe.traced()
    graph = structure(recipe, architecture)
    few = jax.tree.map(lambda leaf: leaf[:EXAMPLES], (batch, noise))

    def condition(parameters: Any, statistics: Any, batch: Batch, noise: Noise) -> Array:
        def outputs(parameters: Any) -> Array:
            model: Any = nnx.merge(graph, parameters, statistics)
            model.train()
            return model(batch, noise, ForwardPass(recipe)).outputs

        return tangent_condition(outputs, parameters, named_key(random_key(0), "projection"))

    given = (parameters, statistics, *few)
    about = {"architecture": architecture, "recipe": repr(recipe.describe())}
    found = float(program(condition, given, name="tangent kernel", **about).quick(*given))
    return found if math.isfinite(found) else None


def _blamed(trainer: ArmTrainer, parameters: Any, statistics: Any, batch: Batch, noise: Noise) -> BlameRecord | None:
    """The block, or the kind of step, that keeps the score's gradient from the data's end."""
    architecture, recipe = trainer.workload.architecture, trainer.recipe.traced()
    graph = structure(recipe, architecture)

    def scored(parameters: Any, inputs: Any) -> tuple[Array, Forward]:
        model: Any = nnx.merge(graph, parameters, statistics)
        model.train()
        made = model(batch._replace(inputs=inputs), noise, ForwardPass(recipe))
        return loss_parts(made, batch, architecture.likelihood).score, made

    found = blame_whole(scored, parameters, batch.inputs)
    return BlameRecord(**found._asdict()) if found.kind else None
