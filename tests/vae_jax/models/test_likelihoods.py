import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from vae_jax.models.likelihoods import (
    Bernoulli,
    Categorical,
    Gaussian,
    LearntGaussian,
    Recall,
    SquaredError,
    UntoldSquares,
)  # fmt: skip
from vae_jax.models.presentations import AsStored, Binarised, Corrupted

DRAW = np.random.default_rng(0)


def test_bernoulli_agrees_with_scipy():
    logits = DRAW.normal(size=(5, 7)) * 3
    x = (DRAW.random((5, 7)) < 0.5).astype(float)
    expected = stats.bernoulli.logpmf(x, 1 / (1 + np.exp(-logits))).sum(axis=1)
    found = Bernoulli().log_prob(jnp.asarray(logits, jnp.float32), jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_gaussian_agrees_with_scipy():
    mean, x = DRAW.normal(size=(2, 5, 7))
    expected = stats.norm.logpdf(x, mean, 0.3).sum(axis=1)
    found = Gaussian(0.3).log_prob(jnp.asarray(mean, jnp.float32), jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_output_bias_is_where_the_likelihood_is_greatest():
    mean = jnp.array([0.0, 0.2, 0.9, 1.0])
    np.testing.assert_allclose(jax.nn.sigmoid(Bernoulli().output_bias(mean)), [0.001, 0.2, 0.9, 0.999], rtol=1e-5)
    np.testing.assert_array_equal(Gaussian().output_bias(mean), mean)


def test_binarisation_is_drawn_anew_with_the_pixels_probabilities():
    intensity = jnp.full((2000, 3), jnp.array([0.0, 0.25, 1.0]))
    mean = intensity[0]
    first, second = (Binarised()(jax.random.key(seed), intensity, mean).target for seed in (0, 1))
    assert set(np.unique(first)) == {0.0, 1.0}
    assert not np.array_equal(first, second)
    # Five standard errors of 2,000 draws.
    np.testing.assert_allclose(first.mean(axis=0), [0, 0.25, 1], atol=5 * np.sqrt(0.25 * 0.75 / 2000))
    np.testing.assert_array_equal(AsStored()(jax.random.key(0), intensity, mean).target, intensity)


def test_recall_asks_for_the_first_symbol_in_every_slot():
    likelihood = Recall(symbols=5, slots=3)
    sequences = DRAW.integers(5, size=(6, 4))
    x = jnp.asarray(np.eye(5)[sequences].reshape(6, 20), jnp.float32)
    logits = DRAW.normal(size=(6, 3, 5)) * 3
    found = likelihood.log_prob(jnp.asarray(logits.reshape(6, 15), jnp.float32), x)
    expected = special.log_softmax(logits, axis=2)[np.arange(6), :, sequences[:, 0]].sum(axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_recall_draws_symbols_anew_and_starts_at_their_frequencies():
    likelihood = Recall(symbols=16, slots=4)
    chance = jnp.full((3000, 3 * 16), 1 / 16)
    first, second = (likelihood.presentation(jax.random.key(seed), chance, chance[0]).target for seed in (0, 1))
    np.testing.assert_array_equal(first.reshape(-1, 16).sum(axis=1), 1)
    assert not np.array_equal(first, second)
    # Five standard errors of 3,000 draws.
    np.testing.assert_allclose(first.mean(axis=0), 1 / 16, atol=5 * math.sqrt(1 / 16 * 15 / 16 / 3000))
    # A decoder that knows no more than that sits at the plateau.
    bias = likelihood.output_bias(chance[0])
    assert bias.shape == (64,)
    outputs = jnp.broadcast_to(bias, (3000, 64))
    assert -likelihood.log_prob(outputs, first).mean() == pytest.approx(4 * math.log(16), rel=1e-5)


def test_a_learnt_variance_agrees_with_scipy_and_may_give_densities_above_1():
    mean, log_var, x = DRAW.normal(size=(3, 5, 7))
    outputs = jnp.asarray(np.concatenate([mean, log_var], axis=1), jnp.float32)
    found = LearntGaussian().log_prob(outputs, jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(found, stats.norm.logpdf(x, mean, np.exp(log_var / 2)).sum(axis=1), rtol=1e-4)
    sharp = jnp.concatenate([jnp.zeros((1, 7)), jnp.full((1, 7), -6.0)], axis=1)
    assert float(LearntGaussian().log_prob(sharp, jnp.zeros((1, 7)))[0]) > 0
    bias = LearntGaussian().output_bias(jnp.asarray([0.2, 0.4]))
    np.testing.assert_allclose(bias, [0.2, 0.4, 0, 0])


@pytest.mark.parametrize("sigmoid", [False, True])
def test_the_squared_error_is_summed_or_averaged(sigmoid):
    outputs, x = DRAW.normal(size=(2, 5, 7))
    given = special.expit(outputs) if sigmoid else outputs
    squares = (x - given) ** 2
    arrays = (jnp.asarray(outputs, jnp.float32), jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(SquaredError(sigmoid=sigmoid).log_prob(*arrays), -squares.sum(axis=1), rtol=1e-5)
    averaged = SquaredError(averaged=True, sigmoid=sigmoid)
    np.testing.assert_allclose(averaged.log_prob(*arrays), -squares.mean(axis=1), rtol=1e-5)
    # At the bias the outputs are the mean.
    bias = averaged.output_bias(jnp.asarray([0.2, 0.7]))
    np.testing.assert_allclose(jax.nn.sigmoid(bias) if sigmoid else bias, [0.2, 0.7], rtol=1e-5)


def test_symbols_that_a_mask_leaves_out_do_not_count_whatever_stands_there():
    logits, lengths = DRAW.normal(size=(4, 6, 5)) * 2, np.array([6, 3, 1, 4])
    x, mask = DRAW.integers(5, size=(4, 6)), np.arange(6) < lengths[:, None]
    expected = [
        np.sum(stats.multinomial.logpmf(np.eye(5, dtype=int)[row[:length]], 1, special.softmax(own[:length], axis=1)))
        for own, row, length in zip(logits, x, lengths, strict=True)
    ]
    likelihood = Categorical()
    found = likelihood.log_prob(jnp.asarray(logits, jnp.float32), jnp.asarray(x), jnp.asarray(mask))
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    other = np.where(mask, x, (x + 1) % 5)
    garbage = np.where(mask[..., None], logits, 1e3 * DRAW.normal(size=logits.shape))
    same = likelihood.log_prob(jnp.asarray(garbage, jnp.float32), jnp.asarray(other), jnp.asarray(mask))
    np.testing.assert_array_equal(same, found)


def test_a_mask_counts_for_every_entry_of_a_likelihood_of_numbers():
    outputs, x = jnp.asarray(DRAW.normal(size=(2, 5, 7)), jnp.float32)
    mask = jnp.asarray(DRAW.random((5, 7)) < 0.6)
    for likelihood in (Bernoulli(), Gaussian(0.5), SquaredError(), SquaredError(averaged=True)):
        found = likelihood.log_prob(outputs, x, mask)
        changed = likelihood.log_prob(outputs, jnp.where(mask, x, 100.0), mask)
        np.testing.assert_array_equal(found, changed)


def test_corruption_is_of_what_the_encoder_sees_in_training_alone():
    rows = jnp.asarray(DRAW.normal(size=(400, 6)), jnp.float32)
    mean = rows.mean(axis=0)
    noisy, clean = (Corrupted(0.5)(key, rows, mean) for key in (jax.random.key(0), None))
    np.testing.assert_array_equal(noisy.target, rows)
    np.testing.assert_array_equal(clean.inputs, rows - mean[None])
    assert float(jnp.std(noisy.inputs - clean.inputs)) == pytest.approx(0.5, rel=0.05)


def test_a_reconstruction_is_what_draws_of_the_likelihood_average_to_and_of_symbols_the_likeliest():
    outputs = DRAW.normal(size=(5, 6))
    given = jnp.asarray(outputs, jnp.float32)
    density = stats.norm(outputs[:, :3], np.exp(outputs[:, 3:] / 2))
    slots = special.softmax(outputs.reshape(5, 2, 3), axis=2).reshape(5, 6)
    for likelihood, expected in (
        (Bernoulli(), stats.bernoulli(special.expit(outputs)).mean()),
        (Gaussian(0.3), stats.norm(outputs, 0.3).mean()),
        (LearntGaussian(), density.mean()),
        (SquaredError(), outputs),
        (SquaredError(sigmoid=True), special.expit(outputs)),
        (Categorical(), outputs.argmax(axis=1)),
        (Recall(3, 2), slots),
    ):
        np.testing.assert_allclose(likelihood.reconstruction(given), expected, rtol=1e-5)


def test_outputs_start_at_the_mean_or_where_nobody_has_told_it():
    mean = jnp.asarray([0.1, 0.5, 0.9])
    likelihood = SquaredError(sigmoid=True)
    np.testing.assert_allclose(likelihood.reconstruction(likelihood.output_bias(mean)), mean, rtol=1e-6)
    untold = UntoldSquares(sigmoid=True)
    np.testing.assert_array_equal(untold.reconstruction(untold.output_bias(mean)), 0.5)
