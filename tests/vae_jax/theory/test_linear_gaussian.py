import numpy as np
import pytest
from scipy import integrate, optimize, stats

from vae_jax.theory.linear_gaussian import LinearGaussian, active_dimensions, maximum_likelihood, spectrum

DRAW = np.random.default_rng(0)
MODEL = LinearGaussian(DRAW.normal(size=(5, 3)), DRAW.normal(size=5), 0.7)
X = MODEL.sample(DRAW, 6)


def test_log_prob_is_the_integral_over_z():
    model = LinearGaussian(np.array([[1.5], [-0.4]]), np.array([0.3, -1.0]), 0.5)
    x = np.array([[1.0, 0.2], [-2.0, 1.0]])

    def joint(z, example):
        return stats.norm.pdf(z) * stats.norm.pdf(example, model.mean + model.loadings[:, 0] * z, 0.5).prod()

    integrals = [integrate.quad(joint, -10, 10, args=(example,), epsabs=1e-14)[0] for example in x]
    np.testing.assert_allclose(model.log_prob(x), np.log(integrals), rtol=1e-9)


def test_the_posterior_is_the_joint_density_conditioned_on_x():
    mean, covariance = MODEL.posterior(X)
    gain = MODEL.loadings.T @ np.linalg.inv(MODEL.covariance)
    np.testing.assert_allclose(mean, (X - MODEL.mean) @ gain.T, rtol=1e-9)
    np.testing.assert_allclose(covariance, np.eye(3) - gain @ MODEL.loadings, atol=1e-12)


def test_the_bound_falls_short_by_the_divergence_from_the_posterior():
    exact_mean, exact_covariance = MODEL.posterior(X)
    np.testing.assert_allclose(MODEL.elbo(X, exact_mean, exact_covariance), MODEL.log_prob(X), rtol=1e-12)
    mean, root = exact_mean + DRAW.normal(size=(6, 3)), DRAW.normal(size=(3, 3))
    covariance = root @ root.T + 0.1 * np.eye(3)
    precision, error = np.linalg.inv(exact_covariance), mean - exact_mean
    determinants = np.linalg.slogdet(exact_covariance)[1] - np.linalg.slogdet(covariance)[1]
    quadratic = np.einsum("ij,jk,ik->i", error, precision, error)
    divergence = 0.5 * (np.trace(precision @ covariance) + quadratic - 3 + determinants)
    np.testing.assert_allclose(MODEL.log_prob(X) - MODEL.elbo(X, mean, covariance), divergence, rtol=1e-9)


def test_draws_have_the_models_moments():
    x = MODEL.sample(np.random.default_rng(1), 20_000)
    scale = np.sqrt(np.diag(MODEL.covariance))
    # Five standard errors; an entry of a Gaussian's sample covariance varies by at most 2 s_i^2 s_j^2 / N.
    np.testing.assert_array_less(abs(x.mean(axis=0) - MODEL.mean), 5 * scale / np.sqrt(20_000))
    error = abs(np.cov(x, rowvar=False) - MODEL.covariance)
    np.testing.assert_array_less(error, 5 * np.sqrt(2 / 20_000) * np.outer(scale, scale))


def test_no_search_finds_a_likelier_model():
    x = LinearGaussian(np.diag([2.0, 1.0, 0.5, 0.2]), np.arange(4.0), 0.3).sample(np.random.default_rng(2), 300)
    best = maximum_likelihood(x, 2, 0.6)

    def loss(flat):
        return -LinearGaussian(flat.reshape(4, 2), x.mean(axis=0), 0.6).log_prob(x).mean()

    found = optimize.minimize(loss, np.random.default_rng(3).normal(size=8), tol=1e-10)
    np.testing.assert_allclose(-best.log_prob(x).mean(), found.fun, rtol=1e-7)
    # The same model but for a rotation of z.
    np.testing.assert_allclose(
        found.x.reshape(4, 2) @ found.x.reshape(4, 2).T, best.loadings @ best.loadings.T, atol=1e-3
    )


def test_directions_below_the_noise_get_no_column():
    x = LinearGaussian(np.diag([2.0, 1.0, 0.5, 0.2]), np.arange(4.0), 0.3).sample(np.random.default_rng(2), 300)
    assert spectrum(x)[1] > 0.6**2 * 1.05
    assert spectrum(x)[3] < 0.6**2 * 0.95
    for standard_deviation in (0.6, 1.5, 5.0):
        best = maximum_likelihood(x, 4, standard_deviation)
        used = (best.loadings**2).sum(axis=0) > 0
        assert used.sum() == active_dimensions(x, standard_deviation) == (spectrum(x) > standard_deviation**2).sum()
        covariance = best.posterior(x)[1]
        np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-12)
        np.testing.assert_allclose(np.diag(covariance)[~used], 1)


def test_what_makes_no_model_is_said():
    with pytest.raises(ValueError, match="standard_deviation must be above 0, got 0"):
        LinearGaussian(np.ones((2, 1)), np.zeros(2), 0.0)
    with pytest.raises(ValueError, match="latent must be at most the data's 5 dimensions, got 6"):
        maximum_likelihood(X, 6, 0.5)
