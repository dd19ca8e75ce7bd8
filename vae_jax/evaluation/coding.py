"""What is left of a training, and its use: examples to codes, codes to examples. Pure functions, as all here."""

from typing import Any, NamedTuple

import jax
from flax import nnx
from jaxtyping import Array, Bool, Float, Shaped

from vae_jax.evaluation.evaluate import Evaluation, calibrate
from vae_jax.models.batch import Rows
from vae_jax.models.contract import Architecture
from vae_jax.objective.loss import Parameters, Statistics, structure
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.recipe import Recipe
from vae_jax.training.train import TrainState, chosen


class Trained(NamedTuple):
    """All the numbers of a model that was trained.

    Attributes:
        parameters: Those that it was evaluated at.
        statistics: What the model keeps beside them, of the whole training set.
        mean: Of the training targets, by which inputs may be centred.
    """

    parameters: Parameters
    statistics: Statistics
    mean: Float[Array, "..."]

    def model(self, recipe: Recipe, architecture: Architecture) -> Any:
        """The model in evaluation mode: nothing is drawn in it, and no example sees another."""
        model: Any = nnx.merge(structure(recipe, architecture), self.parameters, self.statistics)
        model.eval()
        return model


def remains(
    state: TrainState, ended: Bool[Array, ""], evaluation: Evaluation, *, architecture: Architecture
) -> Trained:
    """What is left of a training: the numbers that `validate` evaluates it with."""
    parameters = chosen(evaluation.recipe, state, ended)
    statistics = calibrate(parameters, state.statistics, evaluation, architecture=architecture)
    return Trained(parameters, statistics, evaluation.data.mean)


def encode(trained: Trained, recipe: Recipe, rows: Rows, *, architecture: Architecture) -> Float[Array, "batch code"]:
    """The code of each example.

    Args:
        trained: The numbers of a model that is a `contract.Coder`.
        recipe: Here and below: from `Recipe.traced`.
        rows: Examples, taken as they are.
        architecture: The model's sizes.
    """
    return trained.model(recipe, architecture).code(architecture.present(None, rows, trained.mean), ForwardPass(recipe))


def decode(
    trained: Trained, recipe: Recipe, code: Float[Array, "batch code"], *, architecture: Architecture
) -> Shaped[Array, "batch ..."]:
    """What each code stands for: the mean of x, or of symbols the likeliest.

    Raises:
        ValueError: If the decoder reads more of an example than its code.
    """
    outputs = trained.model(recipe, architecture).from_code(code, ForwardPass(recipe))
    return architecture.likelihood.reconstruction(outputs)


def missed(
    trained: Trained, recipe: Recipe, code: Float[Array, "batch code"], rows: Rows, *, architecture: Architecture
) -> Float[Array, " batch"]:
    """What each example's code does not give back: the reconstruction's part of the score."""
    outputs = trained.model(recipe, architecture).from_code(code, ForwardPass(recipe))
    batch = architecture.present(None, rows, trained.mean)
    return -architecture.likelihood.log_prob(outputs, batch.target, batch.mask)


def paths(trained: Trained) -> dict[str, Any]:
    """Every array of a model by its path, as `parameters.decoder.head.bias`."""
    return {_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(trained)}


def from_paths(arrays: dict[str, Any], shapes: Trained) -> Trained:
    """A model's numbers again, from its arrays by path.

    Args:
        arrays: From `paths`.
        shapes: Of such a model.
    """
    return jax.tree_util.tree_map_with_path(lambda path, _: arrays[_name(path)], shapes)


def _name(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")
