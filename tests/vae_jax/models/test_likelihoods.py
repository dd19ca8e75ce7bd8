import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from vae_jax.models.likelihoods import Bernoulli, Gaussian, Recall
from vae_jax.models.presentations import AsStored, Binarised

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
