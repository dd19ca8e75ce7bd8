"""Which optimizers rescale: by the steps that each takes along a gradient of which one layer's is a thousandth."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
import pytest

from bench.planning.catalogue import load_catalogue
from bench.results.judging.rescaling import rescales
from tests.vae_jax.optimization.tree import tree
from vae_jax.recipe.recipe import Recipe
from vae_jax.training.train import Numbers, _optimizer

BASE, REMEDIES = Recipe(), load_catalogue().remedies
# Noise moves what no gradient does.
ACT = [
    name for name, remedy in REMEDIES.items()
    if remedy.family in ("optimizer", "gradient") and name != "gradient_noise"
    and {"optimizer", "gradient_transforms"} & set(remedy(BASE).changes(BASE))
]  # fmt: skip
RATE, STEPS, FAINT = jnp.asarray(0.01), jnp.asarray(100), 1e-3


def moved(recipe, faint):
    """How far the encoder's weights are after ten steps along one gradient, of which the encoder's share is faint."""
    parameters = {"encoder": tree(0)["encoder"], "decoder": tree(1)["encoder"]}
    gradient = {"encoder": jax.tree.map(lambda leaf: faint * jnp.cos(7 * leaf), parameters["encoder"]),
                "decoder": jax.tree.map(lambda leaf: jnp.sin(5 * leaf + 1), parameters["decoder"])}  # fmt: skip
    optimizer = _optimizer(Numbers(recipe, RATE[None], RATE[None], STEPS), RATE)
    at: Any = parameters
    state = optimizer.init(parameters)
    extra = {"value": RATE, "grad": gradient, "value_fn": optax.tree.norm, "key": jax.random.key(0)}
    with jax.numpy_dtype_promotion("standard"):
        for _ in range(10):
            updates, state = optimizer.update(gradient, state, at, **extra)
            at = optax.apply_updates(at, updates)
    return float(optax.tree.norm(jax.tree.map(jnp.subtract, at["encoder"], parameters["encoder"])))


@pytest.mark.parametrize("name", ACT)
def test_a_faint_gradient_moves_the_weights_of_those_that_rescale(name):
    recipe = REMEDIES[name](BASE)
    share = moved(recipe, FAINT) / moved(recipe, 1.0)
    # Nearly as far, or a thousandth.
    assert (share > FAINT**0.5) == rescales(recipe.describe()), (name, share)
