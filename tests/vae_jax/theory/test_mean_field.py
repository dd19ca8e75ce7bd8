import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from flax import nnx

from tests.vae_jax.small_vae import ERF, GELU, first_step
from vae_jax.initialization.initializers import variance_scaling
from vae_jax.layers.blocks import HighwayBlock, PlainBlock, PreActivationResidualBlock, ReZeroBlock
from vae_jax.layers.normalization import layer_norm
from vae_jax.models.batch import Batch
from vae_jax.models.contract import taps
from vae_jax.models.encoder_decoder import TOWERS
from vae_jax.models.vae import VAEArchitecture
from vae_jax.objective.loss import observed_paths, structure
from vae_jax.recipe.configured import configure
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.recipe import Recipe
from vae_jax.theory.mean_field import (
    NoPrediction,
    Profile,
    chi,
    correlation_map,
    length_map,
    plain_profile,
    predict,
    residual_profile,
)
from vae_jax.towers.dense import DenseTower
from vae_jax.training.train import Data, init

GLOROT: Any = Recipe().kernel_init

ACTIVATIONS = {
    "sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh, "relu": jax.nn.relu, "erf": ERF, "gelu": GELU,
    "linear": jax.nn.identity,
}  # fmt: skip
DEPTH, WIDTH, EXAMPLES, DRAWS = 20, 256, 128, 5


def gaussian(scale):
    return configure(variance_scaling, scale=scale, mode="fan_in", distribution="normal")


# Maps, against the published fixed points.


@pytest.mark.parametrize(
    ("activation", "weight_variance", "fixed_point", "slope"),
    [
        (jax.nn.sigmoid, 1.0, 0.26469, 0.05572),
        (jax.nn.sigmoid, 2.0, 0.55529, 0.10098),
        (jax.nn.sigmoid, 0.0064, 0.0016, 3.997e-4),
        (jnp.tanh, 2.0, 0.61797, 1.10553),
        (ERF, 1.0, 0.14192, 1.01690),
        (ERF, 2.0, 0.88075, 1.19737),
        # lambda^2 (1 / 2 + alpha^2 e^2 Phi(-2)) by hand.
        (
            jax.nn.selu,
            1.0,
            1.0,
            1.0507009873554805**2 * (0.5 + 1.6732632423543772**2 * np.exp(2) * scipy.stats.norm.cdf(-2)),
        ),
    ],
)
def test_the_length_maps_fixed_points(activation, weight_variance, fixed_point, slope):
    """Computed independently of this code, with another rule; no bias."""
    variance = 1.0
    for _ in range(300):
        variance = length_map(activation, variance, weight_variance)
    np.testing.assert_allclose(variance, fixed_point, atol=6e-6)
    np.testing.assert_allclose(chi(activation, variance, weight_variance), slope, atol=6e-6)


def test_two_examples_merge_under_relu_and_part_under_wide_tanh():
    assert correlation_map(jax.nn.relu, 1.0, 0.5, 2.0) > 0.5
    # Above the critical point c = 1 is unstable: the map's slope there is chi > 1.
    assert correlation_map(jnp.tanh, 0.61797, 0.999, 2.0) < 0.999
    assert correlation_map(jnp.tanh, 0.61797, 1.0, 2.0, 0.1) == pytest.approx(1.0, abs=1e-12)


# Measurements: a tower's taps under a random linear loss.


@functools.cache
def drawing(block):
    def draw(key, kernel_init):
        recipe = Recipe(activation=jax.nn.identity, block=block, kernel_init=kernel_init)
        return nnx.as_pure(nnx.split(DenseTower(WIDTH, WIDTH, DEPTH, WIDTH, recipe, key), nnx.Param)[1])

    return jax.jit(draw)


@functools.cache
def measurement(name, block):
    """A program that gives the hidden layers and dL/dh of one draw."""
    recipe = Recipe().replace(activation=ACTIVATIONS[name], block=block)
    graph = nnx.split(
        nnx.eval_shape(lambda: DenseTower(WIDTH, WIDTH, DEPTH, WIDTH, recipe, jax.random.key(0))), nnx.Param
    )[0]

    def measure(parameters, x, direction):
        def linear_loss(taps):
            outputs, (hidden,) = nnx.merge(graph, parameters).observed(x, (taps,), ForwardPass(recipe))
            return jnp.sum(outputs * direction), hidden.output

        gradient, hidden = jax.grad(linear_loss, has_aux=True)(jnp.zeros((DEPTH + 1, EXAMPLES, WIDTH)))
        return hidden, gradient

    return jax.jit(measure)


@functools.cache
def measured(name, weight_variance, block):
    """Mean square and mean cosine of each hidden layer, "draws layers", and dL/dh, "draws layers examples"."""
    squares, cosines, gradients = [], [], []
    for draw in range(DRAWS):
        key, examples = jax.random.split(jax.random.key(draw))
        x, direction = jax.random.normal(examples, (2, EXAMPLES, WIDTH))
        parameters = drawing(block)(key, gaussian(weight_variance))
        hidden, gradient = (np.asarray(a, np.float64) for a in measurement(name, block)(parameters, x, direction))
        squares.append(np.mean(hidden**2, axis=(1, 2)))
        cosines.append(cosine(hidden))
        gradients.append(np.sqrt(np.mean(gradient**2, axis=2)))
    return np.array(squares), np.array(cosines), np.array(gradients)


def cosine(hidden):
    """Mean over pairs of examples, layer by layer."""
    unit = hidden / np.linalg.norm(hidden, axis=2, keepdims=True)
    pairs = unit @ unit.transpose(0, 2, 1)
    return np.mean(pairs[:, ~np.eye(hidden.shape[1], dtype=bool)], axis=1)


def over_the_batch(gradients):
    """The instrument's record: the root mean square over examples too, "draws layers"."""
    return np.sqrt(np.mean(gradients**2, axis=2))


def geometric_mean(ratios, axis=None):
    return np.exp(np.mean(np.log(ratios), axis=axis))


PLAIN = [
    ("sigmoid", 1.0), ("sigmoid", 2.0), ("tanh", 1.0), ("tanh", 2.0), ("relu", 1.0), ("relu", 2.0), ("erf", 2.0),
    ("gelu", 2.0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "weight_variance"), PLAIN)
def test_the_gradient_of_an_example_passes_a_plain_tower_as_theory_expects(name, weight_variance):
    """Ratio of dL/dh's rms over units from layer to layer, by sqrt(chi): geometric mean of examples, layers, draws."""
    _, _, gradients = measured(name, weight_variance, PlainBlock)
    expected = plain_profile(ACTIVATIONS[name], [weight_variance] * (DEPTH + 1), 1.0, 0.0).gradient_ratio
    found = gradients[:, :-1] / gradients[:, 1:] / np.array(expected)[:, None]
    assert geometric_mean(found) == pytest.approx(1.0, abs=0.05)


# Not GELU at 2: its signal shrinks where small and stays where large, so that at this width examples part, ten of 128
# carry the rms over the batch at the lowest layers, and the rms follows their chi: 5 to 7 % above that of the average.
# Every example follows chi of its own variance to 0.4 %.
@pytest.mark.parametrize(("name", "weight_variance"), PLAIN[:-1])
def test_a_plain_tower_is_as_theory_expects(name, weight_variance):
    """Signal, similarity and gradient over the whole batch, as the instruments record them."""
    squares, cosines, gradients = measured(name, weight_variance, PlainBlock)
    expected = plain_profile(ACTIVATIONS[name], [weight_variance] * (DEPTH + 1), 1.0, 0.0)
    assert expected.mean_cosine
    gradients = over_the_batch(gradients)
    ratio = gradients[:, :-1] / gradients[:, 1:] / expected.gradient_ratio
    assert geometric_mean(ratio) == pytest.approx(1.0, abs=0.05)
    np.testing.assert_allclose(geometric_mean(ratio, axis=0), 1.0, atol=0.05)
    square = squares / expected.mean_square
    # Errors of the length add up where no fixed point pulls it back, so growth from layer to layer is compared.
    assert geometric_mean(square[:, 1:] / square[:, :-1]) == pytest.approx(1.0, abs=0.05)
    if (name, weight_variance) in (("sigmoid", 1.0), ("sigmoid", 2.0), ("tanh", 2.0), ("erf", 2.0)):
        np.testing.assert_allclose(geometric_mean(square, axis=0), 1.0, atol=0.05)
    np.testing.assert_allclose(np.mean(cosines, axis=0), expected.mean_cosine, atol=0.02)


@pytest.mark.parametrize(("name", "weight_variance"), [("tanh", 1.0), ("relu", 0.2)])
def test_a_pre_activation_residual_tower_is_as_theory_expects(name, weight_variance):
    squares, _, gradients = measured(name, weight_variance, PreActivationResidualBlock)
    expected = residual_profile(ACTIVATIONS[name], [weight_variance] * (DEPTH + 1), 1.0)
    gradients = over_the_batch(gradients)
    ratio = gradients[:, :-1] / gradients[:, 1:] / expected.gradient_ratio
    # The branch adds little to 1: held to a tenth of the plain tower's margin.
    np.testing.assert_allclose(geometric_mean(ratio, axis=0), 1.0, atol=0.005)
    square = squares / expected.mean_square
    assert geometric_mean(square[:, 1:] / square[:, :-1]) == pytest.approx(1.0, abs=0.005)


# Predictions for a whole VAE.

VAE_SIZES = VAEArchitecture(data=256, depth=4, width=256, latent=64)


@functools.cache
def vae_drawing(block):
    def draw(key, kernel_init):
        recipe = Recipe(activation=jax.nn.identity, block=block, kernel_init=kernel_init)
        return init(key, recipe, VAE_SIZES, Data(jnp.full((1, 256), 0.5), jnp.full((256,), 0.5)))

    return jax.jit(draw)


@pytest.mark.parametrize(
    ("name", "block", "kernel_init"),
    [
        ("sigmoid", PlainBlock, GLOROT),
        ("tanh", PlainBlock, configure(GLOROT.function, **{**GLOROT.parameters, "scale": 1.5})),
        ("tanh", PreActivationResidualBlock, gaussian(0.5)),
    ],
    ids=["sigmoid", "tanh", "residual"],
)
def test_both_towers_of_a_vae_are_as_predicted(name, block, kernel_init):
    recipe = Recipe().replace(activation=ACTIVATIONS[name], block=block, kernel_init=kernel_init)
    graph, traced = structure(recipe.traced(), VAE_SIZES), recipe.traced()

    def total(parameters, taps, whole):
        paths, (_, hidden) = observed_paths(graph, VAE_SIZES, parameters, taps, whole)
        return jnp.sum(paths), hidden

    gradient = jax.jit(jax.grad(total, argnums=1, has_aux=True))
    found = {(tower, what): [] for tower in TOWERS for what in ("square", "cosine", "ratio")}
    for draw in range(6):
        keys = jax.random.split(jax.random.key(draw), 4)
        parameters, statistics = vae_drawing(block)(keys[0], kernel_init)
        x = jax.random.bernoulli(keys[1], 0.5, (EXAMPLES, 256)).astype(jnp.float32)
        centred, noise = jax.random.normal(keys[2], (EXAMPLES, 256)), jax.random.normal(keys[3], (EXAMPLES, 64))
        gradients, layers = gradient(
            parameters,
            taps(VAE_SIZES, EXAMPLES, jnp.float32),
            first_step(statistics, traced, Batch(centred, x), noise),
        )
        prediction = predict(VAE_SIZES, recipe, parameters, np.asarray(centred))
        for tower in TOWERS:
            profile, hidden = prediction[tower], np.asarray(layers[tower][0].output, np.float64)
            assert isinstance(profile, Profile)
            assert (profile.mean_cosine is None) == (block is PreActivationResidualBlock)
            rms = np.sqrt(np.mean(np.asarray(gradients[tower][0], np.float64) ** 2, axis=(1, 2)))
            found[tower, "square"].append(np.mean(hidden**2, axis=(1, 2)) / profile.mean_square)
            found[tower, "ratio"].append(rms[:-1] / rms[1:] / profile.gradient_ratio)
            found[tower, "cosine"].append(cosine(hidden) - (profile.mean_cosine or cosine(hidden)))
    for tower in TOWERS:
        np.testing.assert_allclose(geometric_mean(found[tower, "square"], axis=0), 1.0, atol=0.05)
        np.testing.assert_allclose(geometric_mean(found[tower, "ratio"], axis=0), 1.0, atol=0.05)
        np.testing.assert_allclose(np.mean(found[tower, "cosine"], axis=0), 0.0, atol=0.01)


def hand_made(scale=1.0, depth=3, **block):
    """Parameters as `init` gives them, square towers 16 wide."""
    draw = np.random.default_rng(0)

    def layer():
        return {"kernel": scale * draw.normal(size=(16, 16)) / 4, "bias": np.zeros(16)}

    return {
        tower: {
            "input": {"dense": layer()},
            "blocks": {i: {"unit": {"dense": layer()}, **block} for i in range(depth)},
            "head": layer(),
        }
        for tower in TOWERS
    }


SQUARE = VAEArchitecture(data=16, depth=3, width=16, latent=8)
X = np.random.default_rng(1).normal(size=(64, 16))


def test_blocks_that_start_as_the_identity_pass_everything_unchanged():
    recipe = Recipe().replace(activation=jnp.tanh, block=configure(ReZeroBlock, alpha=0.0))
    for profile in predict(SQUARE, recipe, hand_made(alpha=np.zeros(())), X).values():
        assert isinstance(profile, Profile)
        assert profile.gradient_ratio == (1.0, 1.0, 1.0)
        assert len(set(profile.mean_square)) == len(set(profile.mean_cosine or ())) == 1
    plain = predict(SQUARE, recipe.replace(block=PlainBlock), hand_made(), X)["encoder"]
    rezero = predict(SQUARE, recipe, hand_made(alpha=np.zeros(())), X)["encoder"]
    assert isinstance(plain, Profile)
    assert isinstance(rezero, Profile)
    assert plain.mean_square[0] == rezero.mean_square[0]


@pytest.mark.parametrize(
    ("slots", "block", "reason"),
    [
        ({"normalization": layer_norm}, {}, "layer_norm"),
        ({"block": configure(HighwayBlock, gate_bias=-1.0)}, {}, "HighwayBlock"),
        ({"block": configure(ReZeroBlock, alpha=0.5)}, {"alpha": np.full((), 0.5)}, "ReZeroBlock"),
    ],
)
def test_where_theory_does_not_hold_it_says_why(slots, block, reason):
    for prediction in predict(SQUARE, Recipe().replace(**slots), hand_made(**block), X).values():
        assert isinstance(prediction, NoPrediction)
        assert reason in prediction.reason


def test_posteriors_too_wide_for_floats_have_no_decoder_profile():
    prediction = predict(SQUARE, Recipe().replace(activation=jax.nn.relu), hand_made(scale=5.0), X)
    assert isinstance(prediction["encoder"], Profile)
    assert isinstance(prediction["decoder"], NoPrediction)
    assert "overflows" in prediction["decoder"].reason


def no_number(z):
    return z * jnp.nan


def test_a_signal_that_shrinks_to_nothing_has_no_prediction():
    # Squares of squares: after ten layers a thousandth of a thousandth of ... is below the smallest double.
    def squared_relu(z):
        return jax.nn.relu(z) ** 2

    with pytest.raises(ValueError, match="two signals of 0 have no cosine: draw larger weights"):
        plain_profile(squared_relu, [0.1] * 12, 0.1, 0.5)


def test_a_signal_that_is_no_number_has_no_prediction():
    for tower in predict(SQUARE, Recipe().replace(activation=no_number), hand_made(), X).values():
        assert isinstance(tower, NoPrediction)
        assert "overflowed" in tower.reason
