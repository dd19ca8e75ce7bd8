"""The training objective as a function of parameters: once for every step, and once to be looked into."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from vae_jax.forward_pass import ForwardPass
from vae_jax.instruments import Terms
from vae_jax.objective import gaussian_kl, total_kl
from vae_jax.recipe import Recipe
from vae_jax.towers.dense import Hidden
from vae_jax.vae import VAE, Architecture, Forward

Parameters = Any
Statistics = Any


class Given(NamedTuple):
    """All that a step's objective is given beside the parameters.

    Attributes:
        statistics: What the model keeps beside its parameters.
        recipe: The recipe's program, with its numbers.
        kl_weight: Weight of the KL term.
        x: What is to be reconstructed.
        centred: The encoder's inputs.
        noise: Standard normal draws.
        key: Of all else that is drawn in the step; without one nothing is.
    """

    statistics: Statistics
    recipe: Recipe
    kl_weight: Float[Array, ""]
    x: Float[Array, "batch data"]
    centred: Float[Array, "batch data"]
    noise: Float[Array, "batch latent"]
    key: PRNGKeyArray | None = None


def structure(recipe: Recipe, architecture: Architecture) -> Any:
    """The model without its numbers: what `nnx.merge` needs beside parameters and statistics."""
    mean = jnp.zeros((architecture.data,))
    model = nnx.eval_shape(lambda: VAE(architecture, recipe, jax.random.key(0), mean))
    return nnx.split(model, nnx.Param, ...)[0]


def loss(
    graph: Any, architecture: Architecture, parameters: Parameters, given: Given
) -> tuple[Float[Array, ""], Terms]:
    """The training objective in nats, with the plain bound's parts beside it.

    Args:
        graph: From `structure`.
        architecture: The model's sizes.
        parameters: What is trained.
        given: All else.
    """
    forward = _training(graph, parameters, given)(given.centred, given.noise, ForwardPass(given.recipe, given.key))
    paths, terms = _paths(architecture, given, forward)
    return jnp.sum(paths), terms


def observed_paths(
    graph: Any,
    architecture: Architecture,
    parameters: Parameters,
    taps: dict[str, Float[Array, "_layers batch width"]],
    given: Given,
) -> tuple[Float[Array, " paths"], tuple[Terms, dict[str, Hidden]]]:
    """The objective as its two paths, reconstruction and weighted KL, whose sum is `loss`; to be looked into.

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
    forward, hidden = model.observed(given.centred, given.noise, taps, ForwardPass(given.recipe, given.key))
    paths, terms = _paths(architecture, given, forward)
    return paths, (terms, hidden)


def _training(graph: Any, parameters: Parameters, given: Given) -> VAE:
    model = nnx.merge(graph, parameters, given.statistics)
    model.train()
    return model


def _paths(architecture: Architecture, given: Given, forward: Forward) -> tuple[Float[Array, " paths"], Terms]:
    reconstruction = -architecture.likelihood.log_prob(forward.outputs, given.x).mean()
    kl_units = gaussian_kl(forward.mean, forward.log_var)
    plain_kl = total_kl(kl_units)
    paths = jnp.stack([reconstruction, given.kl_weight * given.recipe.kl_treatment(kl_units)])
    return paths, Terms(reconstruction + plain_kl, reconstruction, plain_kl)
