"""A trained model on held-out examples: calibrated, in evaluation mode, at KL weight 1."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, PRNGKeyArray

from vae_jax.models.batch import Batch, Noise, Rows, examples
from vae_jax.models.contract import Architecture
from vae_jax.models.pieces import evenly, fitting, in_pieces
from vae_jax.objective.bound import LossParts, loss_parts
from vae_jax.objective.loss import Parameters, Statistics, structure
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.keys import named_key
from vae_jax.recipe.recipe import Recipe
from vae_jax.training.train import Data, TrainState, chosen


class Evaluation(NamedTuple):
    """All that an evaluation rests on beside the training.

    Attributes:
        key: The evaluation's own, the same for every arm.
        recipe: From `Recipe.traced`, with its numbers.
        data: The training set.
        rows: Held-out examples, in their one presentation.
    """

    key: PRNGKeyArray
    recipe: Recipe
    data: Data
    rows: Rows


def calibrate(
    parameters: Parameters, statistics: Statistics, evaluation: Evaluation, *, architecture: Architecture
) -> Statistics:
    """The statistics by which a model normalizes when it is evaluated: those of the training set, in one pass.

    Of the whole set, or where it does not fit into memory at once, of as many examples as do.
    """
    if not jax.tree.leaves(statistics):
        return statistics
    key, recipe, data, _ = evaluation
    rows = evenly(data.train, fitting(architecture))
    batch = architecture.present(named_key(key, "observe"), rows, data.mean)
    noise = architecture.noise(named_key(key, "noise"), examples(rows), data.mean.dtype)
    model: Any = nnx.merge(structure(recipe, architecture), parameters, statistics)
    model.train()
    model(batch, noise, ForwardPass(recipe))
    return nnx.as_pure(nnx.split(model, nnx.Param, ...)[2])


def trained(
    parameters: Parameters, statistics: Statistics, evaluation: Evaluation, *, architecture: Architecture
) -> Any:
    """The model in evaluation mode, with the statistics of the training set."""
    statistics = calibrate(parameters, statistics, evaluation, architecture=architecture)
    model: Any = nnx.merge(structure(evaluation.recipe, architecture), parameters, statistics)
    model.eval()
    return model


def evaluate(
    parameters: Parameters, statistics: Statistics, evaluation: Evaluation, *, architecture: Architecture, draws: int
) -> LossParts:
    """The score and its parts on a fixed presentation of held-out examples, at KL weight 1 and in evaluation mode.

    Args:
        parameters: What was trained.
        statistics: What the model keeps beside them; calibrated here.
        evaluation: All else.
        architecture: The model's sizes.
        draws: Draws of z for each example; their scores are averaged.
    """
    key, recipe, data, rows = evaluation
    model = trained(parameters, statistics, evaluation, architecture=architecture)
    repeated = jax.tree.map(lambda leaf: jnp.tile(leaf, (draws, *[1] * (leaf.ndim - 1))), rows)
    batch = architecture.present(None, repeated, data.mean)
    noise = architecture.noise(named_key(key, "evaluate"), examples(repeated), data.mean.dtype)

    def judged(batch: Batch, noise: Noise) -> LossParts:
        return loss_parts(model(batch, noise, ForwardPass(recipe)), batch, architecture.likelihood)

    def piece(batch: Batch, noise: Noise) -> tuple[LossParts, LossParts]:
        """Its parts, and what each is a mean over, as arrays of one entry."""
        parts, count = judged(batch, noise), jnp.full((1,), examples(batch), data.mean.dtype)
        symbols = count if batch.mask is None else jnp.sum(batch.mask, dtype=data.mean.dtype)[None]
        weights = jax.tree.map(lambda _: count, parts)
        weights = weights._replace(accuracy=None if parts.accuracy is None else symbols)
        return jax.tree.map(lambda part: part[None], parts), weights

    most = fitting(architecture)
    if examples(batch) <= most:
        return judged(batch, noise)
    parts, weights = in_pieces(piece, most, batch, noise)
    return jax.tree.map(lambda part, weight: jnp.sum(part * weight) / jnp.sum(weight), parts, weights)


def validate(
    state: TrainState, ended: Bool[Array, ""], evaluation: Evaluation, *, architecture: Architecture, draws: int
) -> tuple[LossParts, Any]:
    """Evaluate a training at the parameters that its recipe chooses, and tell the recipe what came of it.

    Args:
        state: After some steps.
        ended: Whether the training has ended, so that these are the parameters it ends with.
        evaluation: All else.
        architecture: The model's sizes.
        draws: Draws of z for each example.

    Returns:
        The score and its parts, and what becomes of `state.selected` where the rows are the validation set.
    """
    parameters = chosen(evaluation.recipe, state, ended)
    parts = evaluate(parameters, state.statistics, evaluation, architecture=architecture, draws=draws)
    told = evaluation.recipe.selected_parameters().tell(state.selected, parameters, parts.score)
    return parts, told
