"""The training objective as a function of parameters: once for every step, and once to be looked into."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from vae_jax.models.batch import Batch, Forward, Noise
from vae_jax.models.contract import Architecture
from vae_jax.objective.bound import LossParts, loss_parts
from vae_jax.objective.treatment import ObjectiveView
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.keys import random_key
from vae_jax.recipe.recipe import Recipe
from vae_jax.towers.hidden import Hidden, Taps

Parameters = Any
Statistics = Any
TreatmentState = Any


class Given(NamedTuple):
    """All that a step's objective is given beside the parameters.

    Attributes:
        statistics: What the model keeps beside its parameters.
        recipe: From `Recipe.traced`, with its numbers.
        kl_weight: Weight of the KL term.
        batch: The examples.
        noise: Standard normal draws.
        key: Of all else that is drawn in the step.
        progress: Steps taken over the training's length, in [0, 1].
        treatment_state: What the recipe's treatment of the KL term remembers.
    """

    statistics: Statistics
    recipe: Recipe
    kl_weight: Float[Array, ""]
    batch: Batch
    noise: Noise
    key: PRNGKeyArray
    progress: Float[Array, ""]
    treatment_state: TreatmentState


def structure(recipe: Recipe, architecture: Architecture) -> Any:
    """The model without its numbers: what `nnx.merge` needs beside parameters and statistics."""
    model = nnx.eval_shape(lambda: architecture.draw(recipe, random_key(0), jnp.zeros(architecture.mean_shape)))
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
    forward = _training(graph, parameters, given)(given.batch, given.noise, run)
    paths, parts, treatment_state = _paths(architecture, given, forward)
    return jnp.sum(paths), (parts, treatment_state)


def observed_paths(
    graph: Any,
    architecture: Architecture,
    parameters: Parameters,
    taps: dict[str, Taps],
    given: Given,
) -> tuple[Float[Array, " paths"], tuple[LossParts, dict[str, tuple[Hidden, ...]]]]:
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
    forward, hidden = model.observed(given.batch, given.noise, taps, run)
    paths, parts, _ = _paths(architecture, given, forward)
    return paths, (parts, hidden)


def _training(graph: Any, parameters: Parameters, given: Given) -> Any:
    model = nnx.merge(graph, parameters, given.statistics)
    model.train()
    return model


def _paths(
    architecture: Architecture, given: Given, forward: Forward
) -> tuple[Float[Array, " paths"], LossParts, TreatmentState]:
    recipe, parts = given.recipe, loss_parts(forward, given.batch, architecture.likelihood)
    if not forward.latents:
        return parts.reconstruction[None], parts, given.treatment_state
    kl_units = _beside([recipe.kl_estimator(*latent) for latent in forward.latents])
    z = _beside([latent.z for latent in forward.latents])
    view = ObjectiveView(parts.reconstruction, kl_units, z, given.kl_weight, given.key, given.progress)
    paths, treatment_state = recipe.kl_treatment().apply(given.treatment_state, view)
    return jnp.stack(paths), parts, treatment_state


def _beside(latents: list[Float[Array, "batch _units"]]) -> Float[Array, "batch units"]:
    return latents[0] if len(latents) == 1 else jnp.concatenate(latents, axis=-1)
