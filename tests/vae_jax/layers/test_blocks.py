import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from tests.vae_jax.small_vae import KEY, H
from vae_jax.initialization import initializers
from vae_jax.layers import blocks, weight_forms
from vae_jax.layers.blocks import BlockPosition
from vae_jax.recipe.configured import configure
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.recipe import Recipe

POSITION = BlockPosition(16)


def pieces(block):
    return np.asarray(block.unit.dense.kernel[...]), np.asarray(block.unit.dense.bias[...])


def test_plain_block():
    block = blocks.PlainBlock(POSITION, Recipe(), KEY)
    kernel, bias = pieces(block)
    np.testing.assert_allclose(
        block(H, ForwardPass(Recipe())), 1 / (1 + np.exp(-(np.asarray(H) @ kernel + bias))), rtol=1e-5
    )


def test_post_activation_residual_block():
    recipe = Recipe(activation=jnp.tanh)
    block = blocks.PostActivationResidualBlock(POSITION, recipe, KEY)
    kernel, bias = pieces(block)
    np.testing.assert_allclose(
        block(H, ForwardPass(recipe)), np.tanh(np.asarray(H) + np.asarray(H) @ kernel + bias), rtol=1e-4
    )


def test_pre_activation_residual_block():
    recipe = Recipe(activation=jnp.tanh)
    block = blocks.PreActivationResidualBlock(POSITION, recipe, KEY)
    kernel, bias = pieces(block)
    expected = np.asarray(H) + np.tanh(np.asarray(H)) @ kernel + bias
    np.testing.assert_allclose(block(H, ForwardPass(recipe)), expected, rtol=1e-4, atol=1e-6)


def test_highway_block_is_nearly_shut_at_first():
    recipe = Recipe(activation=jnp.tanh)
    block = blocks.HighwayBlock(POSITION, recipe, KEY, gate_bias=-3.0)
    kernel, bias = pieces(block)
    gate = 1 / (1 + np.exp(-(np.asarray(H) @ np.asarray(block.gate.kernel[...]) - 3.0)))
    expected = gate * np.tanh(np.asarray(H) @ kernel + bias) + (1 - gate) * np.asarray(H)
    np.testing.assert_allclose(block(H, ForwardPass(recipe)), expected, rtol=1e-4, atol=1e-6)
    assert gate.mean() < 0.1
    assert not np.array_equal(block.gate.kernel[...], kernel)


def test_rezero_block_is_the_identity_at_alpha_zero():
    block = blocks.ReZeroBlock(POSITION, Recipe(), KEY, alpha=0.0)
    np.testing.assert_array_equal(block(H, ForwardPass(Recipe())), H)
    half = blocks.ReZeroBlock(POSITION, Recipe(), KEY, alpha=0.5)
    np.testing.assert_allclose(
        half(H, ForwardPass(Recipe())), H + 0.5 * half.branch(H, ForwardPass(Recipe())), rtol=1e-6
    )


def test_scaled_residual_block():
    recipe = Recipe(activation=jnp.tanh)
    position = BlockPosition(16, depth=4)
    branch = blocks.PreActivationResidualBlock(position, recipe, KEY)(H, ForwardPass(recipe)) - H
    scaled = blocks.ScaledResidualBlock(position, recipe, KEY)(H, ForwardPass(recipe)) - H
    np.testing.assert_allclose(scaled, branch / 2, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("block", "numbers"), [(blocks.SkipInitBlock, {"alpha": 0.0}), (blocks.LayerScaleBlock, {"gamma": 0.0})]
)
def test_a_branch_scaled_by_zero_leaves_the_identity(block, numbers):
    recipe = Recipe(activation=jnp.tanh)
    np.testing.assert_array_equal(block(POSITION, recipe, KEY, **numbers)(H, ForwardPass(recipe)), H)
    whole = block(POSITION, recipe, KEY, **dict.fromkeys(numbers, 1.0))(H, ForwardPass(recipe))
    expected = blocks.PreActivationResidualBlock(POSITION, recipe, KEY)(H, ForwardPass(recipe))
    np.testing.assert_allclose(whole, expected, rtol=1e-6)


def test_stochastic_depth_drops_whole_branches_and_keeps_their_mean():
    recipe = Recipe(activation=jnp.tanh)
    # Block 2 of 4 at survival 0.2 is kept with probability 1 - 2 / 4 * 0.8.
    block = blocks.StochasticDepthBlock(BlockPosition(16, index=1, depth=4), recipe, KEY, survival=0.2)
    assert float(block.kept[...]) == pytest.approx(0.6)
    many = jnp.tile(H, (200, 1))
    branch = block.branch(H, ForwardPass(recipe))
    np.testing.assert_allclose(block(H, ForwardPass(recipe)), H + branch, rtol=1e-6)
    trained = (block(many, ForwardPass(recipe, KEY)) - many).reshape(200, *H.shape)
    dropped = np.all(np.asarray(trained) == 0, axis=2)
    assert dropped.mean() == pytest.approx(0.4, abs=0.03)
    whole = np.broadcast_to(branch / 0.6, trained.shape)
    np.testing.assert_allclose(np.asarray(trained)[~dropped], whole[~dropped], rtol=1e-4, atol=1e-5)


def test_densely_connected_blocks_see_all_outputs_before_them():
    recipe = Recipe(activation=jnp.tanh)
    known = jnp.concatenate([H, 2 * H], axis=1)
    block = blocks.DenselyConnectedBlock(BlockPosition(16, index=1, depth=3), recipe, KEY)
    kernel, bias = pieces(block)
    assert kernel.shape == (32, 16)
    expected = np.concatenate([known, np.tanh(np.asarray(known) @ kernel + bias)], axis=1)
    np.testing.assert_allclose(block(known, ForwardPass(recipe)), expected, rtol=1e-4, atol=1e-6)


def test_fixup_blocks_start_as_the_activation_and_update_the_output_alike_at_any_depth():
    recipe = Recipe(activation=jax.nn.relu).replace(
        kernel_init=configure(initializers.variance_scaling, scale=2.0, mode="fan_in", distribution="normal")
    )
    block = blocks.FixupBlock(POSITION, recipe, KEY)
    np.testing.assert_array_equal(block(H, ForwardPass(recipe)), jax.nn.relu(H))

    def moved(depth):
        """How far one step of SGD on its matrices moves the output of a stack: Theta(rate), whatever the depth."""
        stack = [blocks.FixupBlock(BlockPosition(16, i, depth), recipe, jax.random.key(i)) for i in range(depth)]
        graph, parameters = nnx.split(nnx.List(stack))

        def output(parameters):
            h = jax.nn.relu(H)
            for own in nnx.merge(graph, parameters):
                h = own(h, ForwardPass(recipe))
            return h

        direction = jax.random.normal(jax.random.key(9), H.shape)
        gradient = jax.grad(lambda p: jnp.mean(output(p) * direction))(nnx.as_pure(parameters))
        after = jax.tree.map(lambda p, g: p - 0.1 * g if p.ndim == 2 else p, nnx.as_pure(parameters), gradient)
        return float(jnp.linalg.norm(output(after) - output(nnx.as_pure(parameters))))

    assert moved(32) / moved(4) == pytest.approx(1.0, abs=0.5)


def test_fixup_blocks_against_numpy():
    recipe = Recipe(activation=jnp.tanh)
    block = blocks.FixupBlock(POSITION, recipe, KEY)
    draw = np.random.default_rng(0)
    before, inside, last = draw.normal(size=16), 0.3, draw.normal(size=16)
    second = draw.normal(size=(16, 16))
    block.unit.dense.bias[...] = jnp.asarray(before, jnp.float32)
    block.second.kernel[...], block.second.bias[...] = jnp.asarray(second, jnp.float32), jnp.asarray(last, jnp.float32)
    block.bias_before_first[...], block.bias_before_second[...] = jnp.asarray(0.2), jnp.asarray(inside)
    block.scale[...] = jnp.asarray(0.7)
    h, first = np.asarray(H, np.float64), np.asarray(block.unit.dense.kernel[...], np.float64)
    branch = 0.7 * ((np.tanh((h + 0.2) @ first + before) + inside) @ second) + last
    np.testing.assert_allclose(block(H, ForwardPass(recipe)), np.tanh(h + branch), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    "form", [weight_forms.WeightNorm, configure(weight_forms.WeightStandardisation, gain=1.0)], ids=["norm", "standard"]
)
def test_fixup_blocks_keep_their_lengths_in_every_form_that_has_one(form):
    recipe = Recipe(activation=jax.nn.relu).replace(weight_form=form)
    shallow, deep = (blocks.FixupBlock(BlockPosition(16, 0, depth), recipe, KEY) for depth in (1, 16))
    np.testing.assert_array_equal(deep(H, ForwardPass(recipe)), jax.nn.relu(H))
    first = [np.asarray(b.unit.dense.form(b.unit.dense.kernel[...])) for b in (shallow, deep)]
    np.testing.assert_allclose(first[1], first[0] / 4, rtol=1e-5)

    def loss(parameters):
        return jnp.sum(nnx.merge(graph, parameters)(H, ForwardPass(recipe)) ** 2)

    graph, parameters = nnx.split(deep)
    gradient = jax.grad(loss)(nnx.as_pure(parameters))
    assert max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(gradient)) < 1e3
