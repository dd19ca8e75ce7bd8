"""Convolutions: the map itself, what is drawn, and that units and blocks work on it as on a dense layer."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal
from flax import nnx

from vae_jax.initialization import initializers
from vae_jax.initialization.data_dependent import unit_variance, zero_mean_unit_variance
from vae_jax.layers import blocks, normalization, units
from vae_jax.layers.blocks import BlockPosition
from vae_jax.layers.convolution import Convolving
from vae_jax.layers.dense import Dense
from vae_jax.layers.precision import bfloat16
from vae_jax.layers.weight_forms import WeightNorm, WeightStandardisation
from vae_jax.recipe.configured import configure
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.recipe import Recipe

KEY = jax.random.key(3)
TANH = Recipe(activation=jnp.tanh)
# Sides that a stride of 2 divides, and that it does not.
X = jax.random.normal(jax.random.key(4), (3, 7, 8, 5))
POINT = Convolving(1)


def correlated(x, kernel, stride, before):
    """A strided convolution with so many zeros before each side, by scipy."""
    size, (height, width) = len(kernel), x.shape[1:3]
    padded = np.pad(np.asarray(x, np.float64), ((0, 0), (before[0], size), (before[1], size), (0, 0)))
    new = [-(-side // stride) for side in (height, width)]
    result = np.zeros((len(x), *new, kernel.shape[3]))
    for example, below, above in np.ndindex(len(x), *kernel.shape[2:]):
        whole = scipy.signal.correlate2d(padded[example, :, :, below], kernel[:, :, below, above], mode="valid")
        result[example, :, :, above] += whole[: new[0] * stride : stride, : new[1] * stride : stride][
            : new[0], : new[1]
        ]
    return result


@pytest.mark.parametrize(
    ("size", "stride", "before"), [(3, 1, (1, 1)), (3, 2, (1, 0)), (4, 1, (1, 1)), (4, 2, (1, 1)), (1, 2, (0, 0))]
)
def test_the_map_is_scipys_correlation_padded_as_tensorflow_pads(size, stride, before):
    layer = Convolving(size, stride)(5, 6, TANH, KEY)
    layer.bias[...] = jnp.arange(6.0)
    kernel = np.asarray(layer.kernel[...], np.float64).reshape(size, size, 5, 6)
    expected = correlated(X, kernel, stride, before) + np.arange(6.0)
    np.testing.assert_allclose(layer(X, ForwardPass(TANH)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("size", "stride"), [(3, 1), (3, 2), (4, 1), (4, 2), (2, 3)])
def test_transposed_it_is_the_gradient_of_the_convolution(size, stride):
    up = Convolving(size, stride, transposed=True)(5, 6, TANH, KEY)
    down = Convolving(size, stride)(6, 5, TANH, KEY)
    # The same numbers seen from the other side: turned by half a turn, inputs and outputs exchanged.
    kernel = up.kernel[...].reshape(size, size, 5, 6)[::-1, ::-1].swapaxes(2, 3)
    down.kernel[...] = kernel.reshape(-1, 5)
    larger = jnp.zeros((3, 7 * stride, 8 * stride, 6))
    (expected,) = jax.vjp(lambda images: down(images, ForwardPass(TANH)), larger)[1](X)
    np.testing.assert_allclose(up(X, ForwardPass(TANH)), expected, rtol=1e-4, atol=1e-5)


def test_patches_are_multiplied_in_the_recipes_precision():
    recipe = TANH.replace(product=bfloat16)
    layer = Convolving(3)(5, 6, recipe, KEY)
    rounded = (np.asarray(each.astype(jnp.bfloat16), np.float64) for each in (X, layer.kernel[...]))
    expected = correlated(next(rounded), next(rounded).reshape(3, 3, 5, 6), 1, (1, 1))
    # The sum is rounded to 8 bits.
    np.testing.assert_allclose(layer(X, ForwardPass(recipe)), expected, rtol=2**-8, atol=2**-8)


def test_its_parameters_are_one_matrix_of_fan_in_and_outputs_and_a_bias():
    layer = Convolving(3, 2)(5, 6, TANH.replace(weight_form=configure(WeightStandardisation, gain=1.0)), KEY)
    shapes = jax.tree.map(jnp.shape, nnx.as_pure(nnx.split(layer, nnx.Param, ...)[1]))
    assert shapes == {"kernel": (45, 6), "bias": (6,), "form": {"gain": (6,)}}


def test_fans_count_the_positions_and_columns_are_orthogonal():
    limit = math.sqrt(6 / (9 * 64 + 9 * 32))
    glorot = np.asarray(Convolving(3)(64, 32, Recipe(), KEY).kernel[...])
    assert 0.99 * limit < np.abs(glorot).max() <= limit
    assert glorot.var() == pytest.approx(limit**2 / 3, rel=0.02)
    orthogonal = TANH.replace(kernel_init=configure(initializers.orthogonal, scale=0.5))
    matrix = np.asarray(Convolving(3)(4, 8, orthogonal, KEY).kernel[...])
    np.testing.assert_allclose(matrix.T @ matrix, 0.25 * np.eye(8), atol=1e-6)
    sparse = TANH.replace(kernel_init=configure(initializers.sparse, connections=7))
    np.testing.assert_array_equal((np.asarray(Convolving(3)(4, 8, sparse, KEY).kernel[...]) != 0).sum(axis=0), 7)


@pytest.mark.parametrize("transposed", [False, True])
def test_identity_weights_pass_an_image_on(transposed):
    recipe = TANH.replace(kernel_init=configure(initializers.identity, scale=1.0))
    layer = Convolving(3, transposed=transposed)(5, 5, recipe, KEY)
    np.testing.assert_array_equal(layer(X, ForwardPass(recipe)), X)


@pytest.mark.parametrize("form", [Recipe().weight_form, WeightNorm])
def test_data_brings_the_sums_over_examples_and_positions_to_variance_one(form):
    recipe = TANH.replace(weight_form=form)
    whole, each = (Convolving(3, 2)(5, 6, recipe, KEY) for _ in range(2))
    z = whole(X, ForwardPass(recipe, adjust=unit_variance))
    assert float(jnp.std(z)) == pytest.approx(1, rel=1e-5)
    z = each(X, ForwardPass(recipe, adjust=zero_mean_unit_variance))
    np.testing.assert_allclose(jnp.mean(z, axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(jnp.std(z, axis=(0, 1, 2)), 1, rtol=1e-4)


@pytest.mark.parametrize(
    ("unit", "numbers"),
    [
        (units.Unit, {}), (units.ParametricUnit, {"negative_slope": 0.25}), (units.MaxoutUnit, {"pieces": 2}),
        (units.GatedUnit, {}), (units.ConcatenatedUnit, {}),
    ],
)  # fmt: skip
def test_of_a_patch_of_one_position_every_unit_is_a_dense_one_at_each(unit, numbers):
    recipe = TANH if not numbers.get("negative_slope") else TANH.replace(activation=jax.nn.leaky_relu)
    made = [unit(5, 6, recipe, KEY, **numbers, linear=linear) for linear in (POINT, Dense)]
    at_once, each = made[0](X, ForwardPass(recipe)), made[1](X.reshape(-1, 5), ForwardPass(recipe))
    np.testing.assert_allclose(at_once, each.reshape(*X.shape[:3], 6), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("block", "numbers"),
    [
        (blocks.PlainBlock, {}), (blocks.PostActivationResidualBlock, {}), (blocks.PreActivationResidualBlock, {}),
        (blocks.ScaledResidualBlock, {}), (blocks.StochasticDepthBlock, {"survival": 0.5}),
        (blocks.SkipInitBlock, {"alpha": 0.3}), (blocks.LayerScaleBlock, {"gamma": 0.3}),
        (blocks.HighwayBlock, {"gate_bias": -1.0}), (blocks.ReZeroBlock, {"alpha": 0.3}),
        (blocks.DenselyConnectedBlock, {}), (blocks.FixupBlock, {}),
    ],
)  # fmt: skip
def test_of_a_patch_of_one_position_every_block_is_a_dense_one_at_each(block, numbers):
    recipe = TANH.replace(normalization=normalization.layer_norm)
    made = [block(BlockPosition(5, linear=linear), recipe, KEY, **numbers) for linear in (POINT, Dense)]
    at_once, each = made[0](X, ForwardPass(recipe)), made[1](X.reshape(-1, 5), ForwardPass(recipe))
    np.testing.assert_allclose(at_once, each.reshape(*X.shape[:3], -1), rtol=1e-5, atol=1e-5)


def test_stochastic_depth_drops_the_branch_of_a_whole_image():
    block = blocks.StochasticDepthBlock(BlockPosition(5, 0, 1, linear=POINT), TANH, KEY, survival=0.5)
    many = jnp.tile(X, (20, 1, 1, 1))
    moved = np.asarray(block(many, ForwardPass(TANH, KEY)) != many).reshape(len(many), -1)
    assert set(moved.mean(axis=1).round(1)) == {0.0, 1.0}


def test_normalizations_take_channels_for_units_and_positions_for_examples():
    h = np.asarray(X, np.float64)

    def standardised(*axes):
        return (h - h.mean(axes, keepdims=True)) / h.std(axes, keepdims=True)

    length = np.sqrt((h**2).mean(3, keepdims=True))
    for norm, expected in (
        (normalization.layer_norm, standardised(3)),
        (normalization.rms_norm, h / length),
        (normalization.ScaleNorm, h / length),
        (normalization.batch_norm, standardised(0, 1, 2)),
        (configure(normalization.group_norm, units=5), standardised(1, 2, 3)),
        (configure(normalization.DynamicTanh, alpha=0.5), np.tanh(h / 2)),
    ):
        np.testing.assert_allclose(norm(5)(X), expected, rtol=1e-3, atol=1e-4)


def test_what_makes_no_convolution_is_said():
    with pytest.raises(ValueError, match="stride of a convolution must be at least 1, got 0"):
        Convolving(3, 0)
    with pytest.raises(ValueError, match="a convolution sees no context, got one of 4 entries"):
        Convolving(3)(5, 6, TANH, KEY, context=4)
