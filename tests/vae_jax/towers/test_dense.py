import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vae_jax.initialization.data_dependent import unit_variance
from vae_jax.initialization.initializers import looks_linear, orthogonal
from vae_jax.layers.blocks import DenselyConnectedBlock, FixupBlock, PlainBlock, PreActivationResidualBlock, ReZeroBlock
from vae_jax.layers.normalization import batch_norm, no_normalization
from vae_jax.layers.units import ConcatenatedUnit, GatedUnit
from vae_jax.layers.weight_forms import SpectralNorm, WeightNorm
from vae_jax.models.vae import VAEArchitecture
from vae_jax.recipe.configured import configure
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.recipe import Recipe
from vae_jax.towers.dense import DenseTower
from vae_jax.towers.hidden import Run
from vae_jax.towers.recurrent import Recurrent
from vae_jax.towers.skip_connections import latent_context

DEPTH, WIDTH = 12, 64
KEY = jax.random.key(0)
MIRRORED = Recipe().replace(activation=jax.nn.relu, unit=ConcatenatedUnit, kernel_init=looks_linear)
LINEAR = Recipe().replace(activation=jax.nn.identity, kernel_init=configure(orthogonal, scale=0.9))


def tower(recipe, depth=DEPTH, name=7):
    return DenseTower(WIDTH, WIDTH, depth, WIDTH, recipe, jax.random.key(name))


def profile(recipe):
    """rms dL/dh after each hidden layer, for a random linear loss."""
    x, direction = jax.random.normal(jax.random.key(0), (2, 32, WIDTH))
    model = tower(recipe)

    def loss(taps):
        return jnp.sum(model.observed(x, (taps,), ForwardPass(recipe))[0] * direction)

    gradient = jax.grad(loss)(jnp.zeros((DEPTH + 1, 32, WIDTH)))
    return np.sqrt(np.mean(np.asarray(gradient, np.float64) ** 2, axis=(1, 2)))


@pytest.mark.parametrize("scale", [0.9, 1.0])
def test_a_linear_tower_of_scaled_orthogonal_kernels_scales_the_gradient_by_that(scale):
    norms = profile(LINEAR.replace(kernel_init=configure(orthogonal, scale=scale)))
    np.testing.assert_allclose(norms[:-1] / norms[1:], scale, rtol=1e-5)


def test_every_layer_draws_its_own_weights_by_name():
    short, long = tower(Recipe(), depth=2), tower(Recipe(), depth=4)
    for index in range(2):
        np.testing.assert_array_equal(
            short.blocks[index].unit.dense.kernel[...], long.blocks[index].unit.dense.kernel[...]
        )
    np.testing.assert_array_equal(short.input.dense.kernel[...], long.input.dense.kernel[...])
    np.testing.assert_array_equal(short.head.kernel[...], long.head.kernel[...])
    drawn = [np.asarray(block.unit.dense.kernel[...]).tobytes() for block in long.blocks]
    assert len(set(drawn)) == 4


def test_hidden_layers_are_returned_in_order_and_taps_are_added_after_the_activation():
    recipe = Recipe().replace(activation=jnp.tanh)
    model = tower(recipe, depth=2)
    x = jax.random.normal(jax.random.key(1), (5, WIDTH))
    taps, run = jnp.zeros((3, 5, WIDTH)).at[1].set(1.0), ForwardPass(recipe)
    _, (hidden,) = model.observed(x, (taps,), ForwardPass(recipe))
    first = model.input(x, run)
    second = jnp.tanh(model.blocks[0].unit.dense(first, run)) + 1.0
    third = jnp.tanh(model.blocks[1].unit.dense(second, run))
    np.testing.assert_allclose(hidden.output, jnp.stack([first, second, third]), rtol=1e-6)


@pytest.mark.parametrize("block", [PlainBlock, PreActivationResidualBlock])
@pytest.mark.parametrize("normalization", [no_normalization, batch_norm])
def test_a_pass_that_is_observed_is_the_same_pass(block, normalization):
    recipe = Recipe().replace(activation=jax.nn.gelu, block=block, normalization=normalization)
    model = tower(recipe, depth=3)
    x = jax.random.normal(jax.random.key(1), (5, WIDTH))
    outputs, _ = model.observed(x, (jnp.zeros((4, 5, WIDTH)),), ForwardPass(recipe))
    np.testing.assert_allclose(outputs, model(x, ForwardPass(recipe))[0], rtol=1e-4, atol=1e-5)


def test_blocks_and_head_see_their_contexts_and_the_first_layer_none():
    recipe = Recipe().replace(activation=jnp.tanh)
    model = DenseTower(5, 3, 2, 16, recipe, jax.random.key(7), context=4)
    x, contexts = jax.random.normal(jax.random.key(1), (6, 5)), jax.random.normal(jax.random.key(2), (3, 6, 4))
    run = ForwardPass(recipe, context=list(contexts))
    h = np.tanh(np.asarray(x) @ np.asarray(model.input.dense.kernel[...]))
    for own, seen in zip(model.blocks, contexts[:2], strict=True):
        h = np.tanh(np.concatenate([h, seen], axis=1) @ np.asarray(own.unit.dense.kernel[...]))
    expected = np.concatenate([h, contexts[2]], axis=1) @ np.asarray(model.head.kernel[...])
    np.testing.assert_allclose(model(x, run)[0], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.observed(x, (jnp.zeros((3, 6, 16)),), run)[0], expected, rtol=1e-4, atol=1e-5)


def test_slopes_are_shares_of_the_steepest():
    recipe = Recipe()
    model = tower(recipe, depth=2)
    x = 20 * jax.random.normal(jax.random.key(1), (5, WIDTH))
    (hidden,) = model.observed(x, (jnp.zeros((3, 5, WIDTH)),), ForwardPass(recipe))[1]
    h = np.asarray(hidden.output, np.float64)
    np.testing.assert_allclose(hidden.slope, 4 * h * (1 - h), atol=1e-6)


@pytest.mark.parametrize("block", [PlainBlock, PreActivationResidualBlock, DenselyConnectedBlock])
def test_without_blocks_the_head_reads_the_input_layer(block):
    recipe = Recipe().replace(activation=jnp.tanh, block=block)
    model, x = tower(recipe, depth=0), jax.random.normal(KEY, (5, WIDTH))
    h = jnp.tanh(model.input.dense(x, ForwardPass(recipe)))
    outputs, (only,) = model(x, ForwardPass(recipe))
    np.testing.assert_allclose(only, h, atol=1e-6)
    np.testing.assert_allclose(outputs, model.head(h, ForwardPass(recipe)), atol=1e-6)
    seen, (hidden,) = model.observed(x, (jnp.ones((1, 5, WIDTH)),), ForwardPass(recipe))
    np.testing.assert_allclose(hidden.output[0], h + 1, atol=1e-6)
    np.testing.assert_allclose(seen, model.head(h + 1, ForwardPass(recipe)), atol=1e-5)


def test_a_dense_encoder_needs_a_block_and_a_decoder_does_not():
    with pytest.raises(ValueError, match="depth must be at least 1, got 0: in an encoder of one hidden layer"):
        VAEArchitecture(data=4, depth=0, width=4, latent=2)
    recurrent = VAEArchitecture(data=4, depth=0, width=4, latent=2, encoder=Recurrent(2))
    assert recurrent.stacks == {"encoder": (Run(2, (4,), scanned=True),), "decoder": (Run(1, (4,)),)}
    with pytest.raises(ValueError, match="depth must be at least 0, got -1"):
        VAEArchitecture(data=4, depth=-1, width=4, latent=2, encoder=Recurrent(2))


def test_what_an_entry_by_entry_block_cannot_take_apart():
    recipe = Recipe().replace(unit=GatedUnit, block=PreActivationResidualBlock)
    with pytest.raises(ValueError, match="choose a block that leaves its unit whole"):
        DenseTower.require(recipe)


@pytest.mark.parametrize("block", [PlainBlock, configure(ReZeroBlock, alpha=0.5)])
def test_mirrored_weights_make_a_drawn_tower_odd(block):
    recipe = MIRRORED.replace(block=block)
    DenseTower.require(recipe)
    model, x = tower(recipe, depth=4), jax.random.normal(jax.random.key(1), (5, WIDTH))
    there, back = (np.asarray(model(sign * x, ForwardPass(recipe))[0]) for sign in (1, -1))
    np.testing.assert_allclose(back, -there, rtol=1e-3, atol=1e-4)
    # Which other weights do not.
    other = recipe.replace(kernel_init=configure(orthogonal, scale=1.0))
    there, back = (np.asarray(tower(other, depth=4)(sign * x, ForwardPass(other))[0]) for sign in (1, -1))
    assert np.abs(back + there).mean() > 0.1 * np.abs(there).mean()


@pytest.mark.parametrize("slots", [{"block": DenselyConnectedBlock}, {"decoder_context": latent_context}])
def test_mirrored_weights_need_inputs_that_are_one_pair_of_halves(slots):
    (more,) = slots.values()
    with pytest.raises(ValueError, match=f"{more.__name__} gives a layer more than one"):
        DenseTower.require(MIRRORED.replace(**slots))


@pytest.mark.parametrize("slots", [{"block": FixupBlock}, {"data_dependent_init": unit_variance}])
def test_what_gives_matrices_a_length_needs_a_form_that_keeps_it(slots):
    recipe = Recipe().replace(**slots)
    DenseTower.require(recipe.replace(weight_form=WeightNorm))
    with pytest.raises(ValueError, match="which SpectralNorm undoes: choose a form that learns the length"):
        DenseTower.require(recipe.replace(weight_form=configure(SpectralNorm, iterations=8)))
