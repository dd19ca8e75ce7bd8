"""Towers of convolutions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from vae_jax.initialization.initializers import identity, looks_linear
from vae_jax.layers.blocks import DenselyConnectedBlock, PreActivationResidualBlock, ReZeroBlock
from vae_jax.layers.noise import dropout
from vae_jax.layers.normalization import batch_norm, layer_norm
from vae_jax.layers.units import ConcatenatedUnit, GatedUnit
from vae_jax.models.batch import Batch
from vae_jax.models.contract import taps
from vae_jax.models.vae import VAEArchitecture
from vae_jax.objective.bound import loss_parts
from vae_jax.recipe.configured import configure
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.recipe import Recipe
from vae_jax.towers.convolutional import Convolutional, Stage
from vae_jax.towers.hidden import Run
from vae_jax.towers.skip_connections import latent_context

KEY = jax.random.key(7)
TANH = Recipe().replace(activation=jnp.tanh)
ENCODER = Convolutional((5, 6, 2), (Stage(4, 2, stride=2), Stage(3)))
DECODER = Convolutional((2, 2, 2), (Stage(3), Stage(4, 2, stride=2)), size=4, transposed=True, dense=(5, 8))
ARCHITECTURE = VAEArchitecture(60, 2, 4, 3, encoder=ENCODER, decoder=DECODER)
X = jax.random.normal(jax.random.key(1), (6, 60))
RESIDUAL = TANH.replace(block=PreActivationResidualBlock, normalization=layer_norm)


def tower(kind, recipe, inputs):
    return kind(inputs, 7, 0, 0, recipe, KEY)


def observed(kind, model, x, recipe):
    zeros = tuple(jnp.zeros((run.layers, len(x), *run.shape)) for run in kind.runs(0, 0))
    return model.observed(x, zeros, ForwardPass(recipe))


def test_hidden_layers_are_images_in_runs_of_one_shape():
    assert ENCODER.runs(0, 0) == (Run(2, (3, 3, 4), patch=9), Run(1, (3, 3, 3), patch=9))
    assert DECODER.runs(0, 0) == (Run(1, (5,)), Run(1, (8,)), Run(1, (2, 2, 3), patch=16), Run(2, (4, 4, 4), patch=16))


def test_its_matrices_are_of_fan_in_and_outputs_in_the_order_of_the_signal():
    for kind, inputs, expected in (
        (ENCODER, 60, [(18, 4), (36, 4), (36, 3), (27, 7)]),
        (DECODER, 3, [(3, 5), (5, 8), (32, 3), (48, 4), (64, 4), (64, 7)]),
    ):
        parameters = nnx.as_pure(nnx.split(tower(kind, TANH, inputs), nnx.Param, ...)[1])
        assert [kernel.shape for kernel in kind.kernels(parameters)] == expected
        # A leaf to each, and a bias.
        assert len(jax.tree.leaves(parameters)) == 2 * len(expected)


def test_a_decoders_pass_is_a_plain_loop():
    model, z = tower(DECODER, TANH, 3), np.asarray(X[:, :3], np.float64)
    outputs, hidden = model(X[:, :3], ForwardPass(TANH))
    assert [layer.shape[1:] for layer in hidden] == [(5,), (8,), (2, 2, 3), (4, 4, 4), (4, 4, 4)]
    kernels = DECODER.kernels(
        jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), nnx.as_pure(nnx.split(model, nnx.Param, ...)[1]))
    )
    h = np.tanh(np.tanh(z @ kernels[0]) @ kernels[1]).reshape(-1, 2, 2, 2)
    for kernel, stride in zip(kernels[2:5], (1, 2, 1), strict=True):
        window = kernel.reshape(4, 4, h.shape[3], -1)
        made = np.zeros((len(h), (h.shape[1] - 1) * stride + 4, (h.shape[2] - 1) * stride + 4, window.shape[3]))
        # Every entry of an image is painted over a window of what becomes of it, by the kernel turned by half a turn.
        for y, x in np.ndindex(*h.shape[1:3]):
            painted = np.einsum("bi,yxio->byxo", h[:, y, x], window[::-1, ::-1])
            made[:, y * stride : y * stride + 4, x * stride : x * stride + 4] += painted
        h = np.tanh(made[:, 1 : 1 + stride * h.shape[1], 1 : 1 + stride * h.shape[2]])
    np.testing.assert_allclose(outputs, h.reshape(len(h), -1) @ kernels[5], atol=1e-5)


@pytest.mark.parametrize(
    "recipe",
    [
        TANH, RESIDUAL, TANH.replace(block=configure(ReZeroBlock, alpha=0.5), normalization=batch_norm),
        TANH.replace(unit=GatedUnit),
    ],
    ids=["plain", "residual", "rezero", "gated"],
)  # fmt: skip
def test_a_pass_that_is_observed_is_the_same_pass(recipe):
    for kind, inputs in ((ENCODER, 60), (DECODER, 3)):
        kind.require(recipe)
        model, x = tower(kind, recipe, inputs), X[:, :inputs]
        outputs, hidden = model(x, ForwardPass(recipe))
        seen, runs = observed(kind, model, x, recipe)
        np.testing.assert_allclose(seen, outputs, rtol=1e-4, atol=1e-5)
        assert [run.output.shape for run in runs] == [(run.layers, 6, *run.shape) for run in kind.runs(0, 0)]
        for one, other in zip(hidden, (layer for run in runs for layer in run.output), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("recipe", [TANH, RESIDUAL, Recipe()], ids=["tanh", "residual", "sigmoid"])
def test_every_gradient_of_the_whole_vae_agrees_with_finite_differences_in_float64(recipe):
    # Flax's normalizations ask for the wider of float64 and float32, which strict promotion forbids.
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        draw = np.random.default_rng(1)
        data = jnp.asarray(draw.random((6, 60)))
        graph, parameters, rest = nnx.split(ARCHITECTURE.draw(recipe, KEY, data.mean(axis=0)), nnx.Param, ...)
        parameters, rest = (jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), s) for s in (parameters, rest))
        noise = jnp.asarray(draw.normal(size=(6, 3)))

        def score(given):
            model = nnx.merge(graph, given["parameters"], rest)
            batch = Batch(data - data.mean(axis=0, keepdims=True), data)
            forward, _ = model.observed(batch, noise, given["taps"], ForwardPass(recipe))
            return loss_parts(forward, batch, ARCHITECTURE.likelihood).score

        given = {"parameters": parameters, "taps": taps(ARCHITECTURE, 6, jnp.float64)}
        value, gradient = jax.jit(score), jax.jit(jax.grad(score))(given)
        leaves, structure = jax.tree.flatten(given)
        # A matrix, a bias or a gain by itself; of taps one layer by itself.
        whole = len(jax.tree.leaves(parameters))
        parts = [(index, ...) for index in range(whole)]
        parts += [(index, layer) for index in range(whole, len(leaves)) for layer in range(len(leaves[index]))]
        assert len(parts) == whole + 8
        for index, part in parts:
            slope = np.asarray(jax.tree.leaves(gradient)[index])[part]
            # Along the gradient itself, or the difference of two scores drowns in their rounding.
            step, length = 1e-4 / np.abs(slope).max() * slope, np.linalg.norm(slope)
            assert length > 0
            moved = []
            for sign in (-2, -1, 1, 2):
                other = leaves.copy()
                other[index] = other[index].at[part].add(sign * step)
                moved.append(float(value(jax.tree.unflatten(structure, other))))
            # Exact up to the fifth derivative.
            difference = (moved[0] - 8 * moved[1] + 8 * moved[2] - moved[3]) / 12
            np.testing.assert_allclose(np.sum(slope * step), difference, rtol=1e-5)


def test_noise_and_a_slope_below_zero_are_left_out_where_a_stage_says_so():
    kind = Convolutional(
        (2, 2, 2), (Stage(3, rectified=True), Stage(3, noise=False)), transposed=True, dense=(8,), dense_noise=False
    )
    leaky = TANH.replace(
        activation=configure(jax.nn.leaky_relu, negative_slope=0.3), hidden_noise=configure(dropout, rate=0.5)
    )
    model, z = tower(kind, leaky, 3), jnp.tile(X[:, :3], (50, 1))
    dense, first, second = model(z, ForwardPass(leaky))[1]
    trained = model(z, ForwardPass(leaky, KEY))[1]
    np.testing.assert_array_equal(trained[0], dense)
    dropped = np.asarray(trained[1])[np.asarray(first) > 0] == 0
    assert dropped.mean() == pytest.approx(0.5, abs=0.05)
    # Zero only where all that its patch sees is.
    assert np.mean(trained[2] == 0) < 0.1
    assert float(dense.min()) < 0
    assert float(first.min()) == 0
    assert float(second.min()) < 0
    # Another activation is everywhere.
    other = leaky.replace(activation=jnp.tanh)
    assert float(model(z, ForwardPass(other))[1][1].min()) < 0


def test_scaling_keeps_what_makes_the_image():
    assert DECODER.scaled(2.0) == Convolutional(
        (2, 2, 2), (Stage(6), Stage(8, 2, stride=2)), size=4, transposed=True, dense=(10, 8)
    )
    assert ARCHITECTURE.of_width(8).encoder == Convolutional((5, 6, 2), (Stage(8, 2, stride=2), Stage(6)))


@pytest.mark.parametrize(
    ("slots", "said"),
    [
        ({"block": DenselyConnectedBlock}, "needs hidden layers of one shape, and these have 3x3x4, 3x3x3: leave it"),
        ({"decoder_context": latent_context}, "and a convolution's inputs are images: leave it out"),
        ({"unit": ConcatenatedUnit, "kernel_init": looks_linear}, "a pair at every position"),
        ({"unit": GatedUnit, "block": PreActivationResidualBlock}, "choose a block that leaves its unit whole"),
    ],
)
def test_what_goes_not_together_is_said(slots, said):
    with pytest.raises(ValueError, match=said):
        ENCODER.require(TANH.replace(**slots))


def test_what_makes_no_tower_is_said():
    with pytest.raises(ValueError, match="one of 4 by 4 has none: choose an odd size"):
        DECODER.require(TANH.replace(kernel_init=configure(identity, scale=1.0)))
    with pytest.raises(ValueError, match="an image of 5x6x2 has 60 entries, got inputs of 64"):
        tower(ENCODER, TANH, 64)
    with pytest.raises(ValueError, match="an image of 2x2x2 must have 8 units, got 5-9"):
        Convolutional((2, 2, 2), (Stage(3),), dense=(5, 9))
    with pytest.raises(ValueError, match="needs at least one stage"):
        Convolutional((2, 2, 2), ())
    with pytest.raises(ValueError, match="stride of a stage must be at least 1, got 0"):
        Stage(3, stride=0)


def test_dense_connections_go_through_images_of_one_shape():
    kind, recipe = Convolutional((3, 3, 2), (Stage(4, 3),)), TANH.replace(block=DenselyConnectedBlock)
    kind.require(recipe)
    model, x = tower(kind, recipe, 18), X[:, :18]
    outputs, hidden = model(x, ForwardPass(recipe))
    assert model.head.kernel.shape == (3 * 3 * 4 * 3, 7)
    assert [layer.shape[1:] for layer in hidden] == [(3, 3, 4)] * 3
    np.testing.assert_allclose(observed(kind, model, x, recipe)[0], outputs, rtol=1e-4, atol=1e-5)
