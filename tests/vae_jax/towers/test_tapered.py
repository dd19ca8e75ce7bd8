"""Dense towers of any widths."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from vae_jax.layers.blocks import DenselyConnectedBlock, PreActivationResidualBlock
from vae_jax.layers.normalization import layer_norm
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.recipe import Recipe
from vae_jax.towers.tapered import Tapered

KIND = Tapered((8, 8, 6, 4, 4, 4))
TANH = Recipe().replace(activation=jnp.tanh)
X = jax.random.normal(jax.random.key(1), (5, 10))
TAPS = tuple(jnp.zeros((run.layers, 5, *run.shape)) for run in KIND.runs(0, 0))


def tower(recipe):
    return KIND(10, 3, 0, 0, recipe, jax.random.key(7))


def test_the_widths_are_those_asked_for_and_the_pass_is_a_plain_loop():
    model, run = tower(TANH), ForwardPass(TANH)
    outputs, hidden = model(X, run)
    assert [layer.shape[1] for layer in hidden] == [8, 8, 6, 4, 4, 4]
    h = np.asarray(X, np.float64)
    for trunk in model.trunks:
        for unit in (trunk.input, *(block.unit for block in trunk.blocks)):
            h = np.tanh(h @ np.asarray(unit.dense.kernel[...], np.float64))
    np.testing.assert_allclose(outputs, h @ np.asarray(model.head.kernel[...], np.float64), atol=1e-5)


@pytest.mark.parametrize("recipe", [TANH, TANH.replace(block=PreActivationResidualBlock, normalization=layer_norm)])
def test_a_pass_that_is_observed_is_the_same_pass_and_taps_give_the_gradient_of_every_layer(recipe):
    model, run = tower(recipe), ForwardPass(recipe)
    outputs, hidden = model(X, run)
    seen, layers = model.observed(X, TAPS, run)
    np.testing.assert_allclose(seen, outputs, rtol=1e-4, atol=1e-5)
    for one, other in zip(hidden, (layer for own in layers for layer in own.output), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    # Along the gradient itself the slope is its length, and that is what a small step there changes.
    weights = jax.random.normal(jax.random.key(2), outputs.shape)

    @jax.jit
    def total(taps):
        return jnp.sum(model.observed(X, taps, run)[0] * weights)

    step, gradients = 3e-3, jax.grad(total)(TAPS)
    for index, gradient in enumerate(gradients):
        length = float(jnp.linalg.norm(gradient))
        moved = [
            float(
                total(
                    tuple(
                        tap + (sign * step / length) * gradient if own == index else tap for own, tap in enumerate(TAPS)
                    )
                )
            )
            for sign in (1, -1)
        ]
        assert length > 0
        assert length == pytest.approx((moved[0] - moved[1]) / (2 * step), rel=2e-3)


def test_its_matrices_are_found_in_the_order_of_the_signal():
    parameters = nnx.as_pure(nnx.split(tower(TANH), nnx.Param, ...)[1])
    shapes = [kernel.shape for kernel in KIND.kernels(parameters)]
    assert shapes == [(10, 8), (8, 8), (8, 6), (6, 4), (4, 4), (4, 4), (4, 3)]


def test_what_needs_one_width_is_refused_where_there_are_several():
    with pytest.raises(
        ValueError, match="DenselyConnectedBlock needs hidden layers of one width, and these have 8-8-6"
    ):
        KIND.require(TANH.replace(block=DenselyConnectedBlock))
    Tapered((8, 8)).require(TANH.replace(block=DenselyConnectedBlock))
    with pytest.raises(ValueError, match="widths must be one or more numbers of at least 1"):
        Tapered(())


def test_scaling_keeps_widths_even():
    assert Tapered((500, 30)).scaled(0.5) == Tapered((250, 16))
