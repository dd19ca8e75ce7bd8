import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vae_jax.configured import configure
from vae_jax.forward_pass import ForwardPass, Place
from vae_jax.layers import blocks, initializers, normalization
from vae_jax.recipe import Recipe

KEY = jax.random.key(3)
PLACE = Place(16)
H = jax.random.normal(jax.random.key(4), (32, 16))


def pieces(block):
    return np.asarray(block.unit.dense.kernel[...]), np.asarray(block.unit.dense.bias[...])


@pytest.mark.parametrize(
    ("initializer", "variance"),
    [
        (configure(initializers.normal, standard_deviation=0.01), 1e-4),
        (configure(initializers.variance_scaling, scale=2.0, mode="fan_in", distribution="truncated_normal"), 2 / 300),
        (configure(initializers.variance_scaling, scale=1.0, mode="fan_avg", distribution="uniform"), 1 / 250),
    ],
)
def test_initializers_have_their_variance(initializer, variance):
    kernel = np.asarray(initializer(KEY, (300, 200), jnp.float32, "hidden"))
    np.testing.assert_allclose(kernel.var(), variance, rtol=0.02)
    assert abs(kernel.mean()) < 5 * np.sqrt(variance / kernel.size)


def test_orthogonal_kernels_have_equal_singular_values():
    kernel = np.asarray(initializers.orthogonal(KEY, (64, 64), jnp.float32, "hidden", scale=0.9))
    np.testing.assert_allclose(np.linalg.svd(kernel, compute_uv=False), 0.9, rtol=1e-5)


def test_plain_block():
    block = blocks.PlainBlock(PLACE, Recipe(), KEY)
    kernel, bias = pieces(block)
    np.testing.assert_allclose(
        block(H, ForwardPass(Recipe())), 1 / (1 + np.exp(-(np.asarray(H) @ kernel + bias))), rtol=1e-5
    )


def test_post_activation_residual_block():
    recipe = Recipe(activation=jnp.tanh)
    block = blocks.PostActivationResidualBlock(PLACE, recipe, KEY)
    kernel, bias = pieces(block)
    np.testing.assert_allclose(
        block(H, ForwardPass(recipe)), np.tanh(np.asarray(H) + np.asarray(H) @ kernel + bias), rtol=1e-4
    )


def test_pre_activation_residual_block():
    recipe = Recipe(activation=jnp.tanh)
    block = blocks.PreActivationResidualBlock(PLACE, recipe, KEY)
    kernel, bias = pieces(block)
    expected = np.asarray(H) + np.tanh(np.asarray(H)) @ kernel + bias
    np.testing.assert_allclose(block(H, ForwardPass(recipe)), expected, rtol=1e-4, atol=1e-6)


def test_highway_block_is_nearly_shut_at_first():
    recipe = Recipe(activation=jnp.tanh)
    block = blocks.HighwayBlock(PLACE, recipe, KEY, gate_bias=-3.0)
    kernel, bias = pieces(block)
    gate = 1 / (1 + np.exp(-(np.asarray(H) @ np.asarray(block.gate.kernel[...]) - 3.0)))
    expected = gate * np.tanh(np.asarray(H) @ kernel + bias) + (1 - gate) * np.asarray(H)
    np.testing.assert_allclose(block(H, ForwardPass(recipe)), expected, rtol=1e-4, atol=1e-6)
    assert gate.mean() < 0.1
    assert not np.array_equal(block.gate.kernel[...], kernel)


def test_rezero_block_is_the_identity_at_alpha_zero():
    block = blocks.ReZeroBlock(PLACE, Recipe(), KEY, alpha=0.0)
    np.testing.assert_array_equal(block(H, ForwardPass(Recipe())), H)
    half = blocks.ReZeroBlock(PLACE, Recipe(), KEY, alpha=0.5)
    np.testing.assert_allclose(
        half(H, ForwardPass(Recipe())), H + 0.5 * half.branch(H, ForwardPass(Recipe())), rtol=1e-6
    )


def test_normalizations_against_numpy():
    h = np.asarray(H, np.float64) * 3 + 5
    per_unit = (h - h.mean(0)) / np.sqrt(h.var(0) + 1e-5)
    per_example = (h - h.mean(1, keepdims=True)) / np.sqrt(h.var(1, keepdims=True) + 1e-6)
    scaled = h / np.sqrt((h**2).mean(1, keepdims=True) + 1e-6)
    batch_norm = normalization.batch_norm(16)
    batch_norm.train()
    h32 = jnp.asarray(h, jnp.float32)
    np.testing.assert_allclose(batch_norm(h32), per_unit, atol=1e-4)
    np.testing.assert_allclose(batch_norm.mean[...], h.mean(0), rtol=1e-5)
    np.testing.assert_allclose(normalization.layer_norm(16)(h32), per_example, atol=1e-4)
    np.testing.assert_allclose(normalization.rms_norm(16)(h32), scaled, atol=1e-4)
    np.testing.assert_array_equal(normalization.no_normalization(16)(h32), h32)
