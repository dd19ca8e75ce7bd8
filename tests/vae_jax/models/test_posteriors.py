"""The posterior heads: what they promise, at any output of the encoder."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from flax import nnx

from tests.vae_jax.small_vae import ARCHITECTURE, begin, compiled, data, numbers
from vae_jax.evaluation.estimates import estimate
from vae_jax.evaluation.evaluate import Evaluation, evaluate, trained
from vae_jax.models.posteriors import (
    BATCH_NORM_EPSILON,
    BatchNormHead,
    GaussianHead,
    MinimumRateHead,
    SoftClampHead,
    rate_limit,
)
from vae_jax.objective.bound import gaussian_kl, total_kl
from vae_jax.recipe.configured import configure
from vae_jax.recipe.recipe import Recipe
from vae_jax.theory.mean_field import NoPrediction, predict

LATENT = 3


def outputs(scale=3.0, examples=200):
    return scale * jax.random.normal(jax.random.key(0), (examples, 2 * LATENT))


def test_the_plain_head_takes_halves():
    mean, log_var = GaussianHead(LATENT)(outputs())
    np.testing.assert_array_equal(jnp.concatenate([mean, log_var], axis=1), outputs())


@pytest.mark.parametrize("nats", [1e-4, 0.01, 0.25, 1.0, 5.0, 40.0])
def test_the_rate_limit_is_lamberts(nats):
    # e^v - v = a has the root -a - W(-e^-a) below 0, where W is the principal branch.
    a = 1 + 2 * nats
    expected = -a - scipy.special.lambertw(-np.exp(-a)).real
    np.testing.assert_allclose(rate_limit(jnp.asarray(nats)), expected, rtol=1e-3 if nats < 0.01 else 1e-5)


def test_no_unit_has_less_than_the_minimum_rate_and_one_at_the_limit_has_it():
    head = MinimumRateHead(LATENT, nats=0.6)
    for scale in (0.0, 0.1, 3.0, 30.0):
        mean, log_var = head(outputs(scale))
        assert (np.asarray(gaussian_kl(mean, log_var)) >= 0.2 * (1 - 1e-5)).all()
        assert np.isfinite(gaussian_kl(mean, log_var)).all()
    mean, log_var = head(jnp.concatenate([jnp.zeros((1, LATENT)), jnp.full((1, LATENT), 100.0)], axis=1))
    np.testing.assert_allclose(gaussian_kl(mean, log_var), 0.2, rtol=1e-5)
    # Far below its limit a variance is what the encoder says.
    np.testing.assert_allclose(head(jnp.full((1, 2 * LATENT), -20.0))[1], -20.0, rtol=1e-6)


def test_the_soft_clamp_is_the_identity_at_zero_and_bounded():
    head = SoftClampHead(LATENT, bound=5.0)
    mean, log_var = head(outputs(100.0))
    np.testing.assert_array_equal(mean, outputs(100.0)[:, :LATENT])
    assert (np.abs(log_var) <= 5.0).all()
    slope = jax.jacfwd(lambda x: head(jnp.full((1, 2 * LATENT), x))[1][0, 0])
    np.testing.assert_allclose([slope(0.0), slope(5.0)], [1.0, 1 - np.tanh(1) ** 2], rtol=1e-6)
    idle = SoftClampHead(LATENT, bound=1e6)
    np.testing.assert_allclose(idle(outputs())[1], outputs()[:, LATENT:], rtol=1e-5)


@pytest.mark.parametrize("scale", [1e-4, 0.01, 3.0])
def test_batch_normalized_means_have_their_kl(scale):
    head = BatchNormHead(LATENT, gamma=0.5)
    head.beta[...] = jnp.array([0.0, 0.3, -1.0])
    head.train()
    mean, log_var = head(outputs(scale))
    variance = np.asarray(outputs(scale)[:, :LATENT], np.float64).var(axis=0)
    squares = 0.25 * variance / (variance + BATCH_NORM_EPSILON) + np.array([0.0, 0.09, 1.0])
    np.testing.assert_allclose((mean**2).mean(axis=0), squares, rtol=1e-4)
    kl = np.asarray(gaussian_kl(mean, log_var)).mean(axis=0)
    assert (kl >= squares / 2 - 1e-6).all()
    # It is reached where every variance is 1.
    np.testing.assert_allclose(gaussian_kl(mean, jnp.zeros_like(mean)).mean(axis=0), squares / 2, rtol=1e-4)
    if scale == 3.0:
        np.testing.assert_allclose(squares.sum() / 2, (LATENT * 0.25 + 1.09) / 2, rtol=1e-4)


def test_heads_keep_their_numbers_out_of_what_is_trained():
    state = begin(Recipe().replace(posterior_head=configure(BatchNormHead, gamma=0.7)))
    assert list(state.parameters["posterior_head"]) == ["beta"]
    np.testing.assert_allclose(state.statistics["posterior_head"]["gamma"], 0.7)
    plain = begin(Recipe())
    assert "posterior_head" not in plain.parameters
    assert not jax.tree.leaves(plain.statistics)


def test_a_trained_head_is_evaluated_by_the_training_sets_statistics():
    recipe = Recipe().replace(activation=jnp.tanh, posterior_head=configure(BatchNormHead, gamma=0.5))
    state = begin(recipe)
    for chunk in numbers(recipe, 0.03, 10)[:-1]:
        state, _ = compiled()(state, jax.random.key(0), chunk, data())
    x = (data().train[:300] > 0.5).astype(jnp.float32)
    evaluation = Evaluation(jax.random.key(3), recipe.traced(), data(), x)
    given = (state.parameters, state.statistics, evaluation)
    model = jax.jit(
        lambda *given: nnx.as_pure(nnx.split(trained(*given, architecture=ARCHITECTURE), nnx.Param, ...)[2])
    )(*given)
    kept = model["posterior_head"]["normalization"]
    assert (np.asarray(kept["var"]) > 100 * BATCH_NORM_EPSILON).all()
    terms = jax.jit(functools.partial(evaluate, architecture=ARCHITECTURE, draws=2))(*given)
    estimator = jax.jit(functools.partial(estimate, architecture=ARCHITECTURE, samples=20, chunk=10))
    estimates = estimator(state, jnp.asarray(True), evaluation)
    np.testing.assert_allclose(estimates.kl_units.sum(), terms.kl_nats, rtol=1e-4)
    beta = np.asarray(state.parameters["posterior_head"]["beta"])
    # Held-out examples are not the batch that is normalized: near the bound, not above it for certain.
    assert terms.kl_nats > 0.8 * (ARCHITECTURE.latent * 0.25 + (beta**2).sum()) / 2


def test_a_minimum_rate_holds_in_training_whatever_the_step():
    recipe = Recipe().replace(posterior_head=configure(MinimumRateHead, nats=2.0))
    _, readings = compiled()(begin(recipe), jax.random.key(0), numbers(recipe, 0.03, 10)[0], data())
    assert (np.asarray(readings["kl_nats"]) >= 2.0 * (1 - 1e-5)).all()


def test_theory_says_that_it_has_no_decoder_behind_another_head():
    recipe = Recipe().replace(posterior_head=configure(SoftClampHead, bound=5.0))
    found = predict(ARCHITECTURE, recipe, begin(recipe).parameters, np.asarray(data().train[:50] - data().mean[None]))
    assert not isinstance(found["encoder"], NoPrediction)
    assert isinstance(found["decoder"], NoPrediction)
    assert "SoftClampHead" in found["decoder"].reason


def test_total_kl_of_the_least_posterior_is_the_whole_rate():
    mean, log_var = MinimumRateHead(LATENT, nats=3.0)(jnp.concatenate([jnp.zeros((4, 3)), jnp.full((4, 3), 99.0)], 1))
    np.testing.assert_allclose(total_kl(gaussian_kl(mean, log_var)), 3.0, rtol=1e-5)
