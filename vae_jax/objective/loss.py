"""The training objective as a function of parameters: once for every step, and once to be looked into."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from vae_jax.models.vae import VAE, Architecture, Forward
from vae_jax.objective.bound import LossParts, gaussian_kl, total_kl
from vae_jax.objective.treatment import ObjectiveView
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.keys import random_key
from vae_jax.recipe.recipe import Recipe
from vae_jax.towers.dense import Hidden

Parameters = Any
Statistics = Any
TreatmentState = Any


class Given(NamedTuple):
    """All that a step's objective is given beside the parameters.

    Attributes:
        statistics: What the model keeps beside its parameters.
        recipe: From `Recipe.traced`, with its numbers.
        kl_weight: Weight of the KL term.
        x: What is to be reconstructed.
        centred: The encoder's inputs.
        noise: Standard normal draws.
        key: Of all else that is drawn in the step.
        progress: Steps taken over the training's length, in [0, 1].
        treatment_state: What the recipe's treatment of the KL term remembers.
    """

    statistics: Statistics
    recipe: Recipe
    kl_weight: Float[Array, ""]
    x: Float[Array, "batch data"]
    centred: Float[Array, "batch data"]
    noise: Float[Array, "batch latent"]
    key: PRNGKeyArray
    progress: Float[Array, ""]
    treatment_state: TreatmentState


def structure(recipe: Recipe, architecture: Architecture) -> Any:
    """The model without its numbers: what `nnx.merge` needs beside parameters and statistics."""
    mean = jnp.zeros((architecture.data,))
    model = nnx.eval_shape(lambda: VAE(architecture, recipe, random_key(0), mean))
    return nnx.split(model, nnx.Param, ...)[0]


def loss(
    graph: Any, architecture: Architecture, parameters: Parameters, given: Given
) -> tuple[Float[Array, ""], tuple[LossParts, TreatmentState]]:
    """The training objective in nats; beside it the plain bound's parts, and what the treatment remembers from now on.

    Args:
        graph: From `structure`.
        architecture: The model's sizes.
        parameters: What is trained.
        given: All else.
    """
    run = ForwardPass(given.recipe, given.key)
    forward = _training(graph, parameters, given)(given.centred, given.noise, run)
    paths, loss_parts, treatment_state = _paths(architecture, given, forward)
    return jnp.sum(paths), (loss_parts, treatment_state)


def observed_paths(
    graph: Any,
    architecture: Architecture,
    parameters: Parameters,
    taps: dict[str, Float[Array, "_layers batch width"]],
    given: Given,
) -> tuple[Float[Array, " paths"], tuple[LossParts, dict[str, Hidden]]]:
    """The objective as its two paths, reconstruction and KL as treated, whose sum is `loss`; to be looked into.

    Args:
        graph: From `structure`.
        architecture: The model's sizes.
        parameters: What is trained.
        taps: Zeros, see `DenseTower.observed`.
        given: All else.

    Returns:
        The two paths in nats; the plain bound's parts, and each tower's hidden layers.
    """
    model = _training(graph, parameters, given)
    run = ForwardPass(given.recipe, given.key)
    forward, hidden = model.observed(given.centred, given.noise, taps, run)
    paths, loss_parts, _ = _paths(architecture, given, forward)
    return paths, (loss_parts, hidden)


def _training(graph: Any, parameters: Parameters, given: Given) -> VAE:
    model = nnx.merge(graph, parameters, given.statistics)
    model.train()
    return model


def _paths(
    architecture: Architecture, given: Given, forward: Forward
) -> tuple[Float[Array, " paths"], LossParts, TreatmentState]:
    recipe, posterior = given.recipe, (forward.mean, forward.log_var)
    reconstruction = -architecture.likelihood.log_prob(forward.outputs, given.x).mean()
    kl_units = recipe.kl_estimator(*posterior, forward.z)
    view = ObjectiveView(reconstruction, kl_units, forward.z, given.kl_weight, given.key, given.progress)
    paths, treatment_state = recipe.kl_treatment().apply(given.treatment_state, view)
    plain_kl = total_kl(gaussian_kl(*posterior))
    return jnp.stack(paths), LossParts(reconstruction + plain_kl, reconstruction, plain_kl), treatment_state
