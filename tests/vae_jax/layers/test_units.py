import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.vae_jax.small_vae import KEY, H
from vae_jax.initialization import initializers
from vae_jax.layers import activations, units
from vae_jax.recipe.configured import configure
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.recipe import Recipe

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


def test_pieces_are_drawn_apart():
    """Of two independent normals of variance q, the greater has mean square q; so of two orthogonal matrices' sums."""
    recipe = Recipe(activation=jax.nn.identity).replace(kernel_init=configure(initializers.orthogonal, scale=1.0))
    h = jax.random.normal(KEY, (2000, 64))
    unit = units.MaxoutUnit(64, 64, recipe, KEY, pieces=2)
    assert float(jnp.mean(unit(h, ForwardPass(recipe)) ** 2)) == pytest.approx(1.0, abs=0.05)
    for piece in np.asarray(unit.dense.kernel[...]).reshape(64, 64, 2).transpose(2, 0, 1):
        np.testing.assert_allclose(np.linalg.svd(piece, compute_uv=False), 1.0, rtol=1e-4)
    # Glorot's fans are those of one piece.
    glorot = np.asarray(units.MaxoutUnit(64, 64, Recipe(), KEY, pieces=5).dense.kernel[...])
    np.testing.assert_allclose(glorot.reshape(64, 64, 5).var(axis=(0, 1)), 1 / 64, rtol=0.1)
