import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.vae_jax.setting import KEY, H
from vae_jax.configured import configure
from vae_jax.forward_pass import ForwardPass
from vae_jax.layers import activations, units
from vae_jax.recipe import Recipe

PRELU = configure(activations.parametric_relu, negative_slope=0.25)


def test_units_against_numpy():
    h = np.asarray(H, np.float64)

    def made(unit, activation):
        recipe = Recipe(activation=activation)
        drawn = unit(16, 8, recipe, KEY)
        return drawn, np.asarray(drawn(H, ForwardPass(recipe))), h @ np.asarray(drawn.dense.kernel[...], np.float64)

    drawn, found, sums = made(configure(units.ParametricUnit, negative_slope=0.25), PRELU)
    np.testing.assert_allclose(found, np.where(sums > 0, sums, 0.25 * sums), rtol=1e-4, atol=1e-5)
    drawn.slope[...] = jnp.asarray(0.5)
    learnt = drawn(H, ForwardPass(Recipe(activation=PRELU)))
    np.testing.assert_allclose(learnt, np.where(sums > 0, sums, 0.5 * sums), rtol=1e-4, atol=1e-5)
    _, found, sums = made(configure(units.MaxoutUnit, pieces=3), jax.nn.identity)
    np.testing.assert_allclose(found, sums.reshape(32, 8, 3).max(axis=2), rtol=1e-4, atol=1e-5)
    drawn, found, sums = made(units.GatedUnit, jnp.tanh)
    linear = h @ np.asarray(drawn.linear.kernel[...], np.float64)
    np.testing.assert_allclose(found, np.tanh(sums) * linear, rtol=1e-3, atol=1e-5)
    _, found, sums = made(units.ConcatenatedUnit, jax.nn.relu)
    np.testing.assert_allclose(found, np.maximum(np.concatenate([sums, -sums], axis=1), 0), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="must be even, got 7"):
        units.ConcatenatedUnit(16, 7, Recipe(), KEY)
