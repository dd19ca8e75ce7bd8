import functools

import jax
import jax.numpy as jnp
import numpy as np
from scipy import integrate, stats

from vae_jax.models.batch import Batch, Forward, Latent
from vae_jax.models.likelihoods import Bernoulli
from vae_jax.objective.bound import exact_kl, gaussian_kl, loss_parts, sticking_the_landing, total_kl


def test_gaussian_kl_agrees_with_its_integral():
    for mean, deviation in ((0.0, 1.0), (1.3, 0.4), (-0.5, 2.0)):

        def integrand(z, mean=mean, deviation=deviation):
            log_q = stats.norm.logpdf(z, mean, deviation)
            return np.exp(log_q) * (log_q - stats.norm.logpdf(z))

        expected, _ = integrate.quad(integrand, -20, 20)
        found = gaussian_kl(jnp.array([[mean]]), jnp.array([[2 * np.log(deviation)]]))
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_total_kl_sums_units_and_averages_examples():
    assert total_kl(jnp.array([[1.0, 2.0], [3.0, 4.0]])) == 5.0


def test_the_score_is_made_of_what_a_model_has():
    logits, target = jnp.array([[0.5, -1.0], [2.0, 0.0]]), jnp.array([[1.0, 0.0], [1.0, 1.0]])
    cost = -stats.bernoulli.logpmf(target, 1 / (1 + np.exp(-logits))).sum(axis=1).mean()
    none = loss_parts(Forward(logits, ()), Batch(target, target), Bernoulli())
    np.testing.assert_allclose((none.score, none.reconstruction), cost, rtol=1e-6)
    assert none.kl_nats is none.shuffled is None
    latent = Latent(jnp.array([[1.0], [3.0]]), jnp.zeros((2, 1)), jnp.zeros((2, 1)))
    coded = loss_parts(Forward(logits, (latent, latent)), Batch(target, target), Bernoulli())
    # The KL of N(m, 1) is m^2 / 2, and there are two.
    assert coded.kl_nats == 5.0
    np.testing.assert_allclose(coded.score, cost + 5.0, rtol=1e-6)
    assert coded.shuffled is None


def test_shuffled_is_the_reconstruction_with_the_outputs_of_anothers_z():
    logits, target = jnp.array([[3.0, -3.0], [-3.0, 3.0]]), jnp.array([[1.0, 0.0], [0.0, 1.0]])
    latent = Latent(*[jnp.zeros((2, 1))] * 3)
    found = loss_parts(Forward(logits, (latent,), logits[::-1]), Batch(target, target), Bernoulli())
    assert found.shuffled is not None
    # Each of two pixels is then as unlikely as it was likely: log odds of 3.
    np.testing.assert_allclose(found.shuffled - found.reconstruction, 6.0, rtol=1e-6)


def density(mean, log_var, z):
    """log q(z) - log p(z), unit by unit, by scipy."""
    return stats.norm.logpdf(z, mean, np.exp(np.asarray(log_var) / 2)) - stats.norm.logpdf(z)


def test_sticking_the_landing_is_one_draw_of_the_kl_term():
    mean, log_var = jnp.array([[0.5, -1.0]]), jnp.array([[0.3, -2.0]])
    noise = jax.random.normal(jax.random.key(0), (200_000, 2))
    z = mean + jnp.exp(log_var / 2) * noise
    found = sticking_the_landing(jnp.broadcast_to(mean, z.shape), jnp.broadcast_to(log_var, z.shape), z)
    np.testing.assert_allclose(found[:100], density(mean, log_var, z[:100]), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found.mean(axis=0), gaussian_kl(mean, log_var)[0], atol=0.01)


def landing_gradients(mean, log_var, log_likelihood, draws):
    """Gradients of -ELBO with respect to mean and log_var, one for each draw: ours, and with the closed form."""

    def bound(estimator, posterior, noise):
        mean, log_var = posterior
        z = mean + jnp.exp(log_var / 2) * noise
        return jnp.sum(estimator(mean, log_var, z)) - log_likelihood(z)

    noise = jax.random.normal(jax.random.key(0), (draws, *mean.shape))
    return [
        jax.vmap(lambda one, estimator=estimator: jax.grad(functools.partial(bound, estimator))((mean, log_var), one))(
            noise
        )
        for estimator in (sticking_the_landing, exact_kl)
    ]


def test_sticking_the_landing_has_the_closed_forms_gradient_on_average():
    mean, log_var = jnp.array([[0.7, -0.2]]), jnp.array([[-1.0, 0.4]])
    ours, exact = landing_gradients(mean, log_var, lambda z: -jnp.sum((z - 1.0) ** 2), 100_000)
    for found, expected in zip(ours, exact, strict=True):
        error = np.std(found, axis=0) / np.sqrt(len(found)) + np.std(expected, axis=0) / np.sqrt(len(found))
        assert (np.abs(found.mean(axis=0) - expected.mean(axis=0)) < 4 * error).all()


def test_sticking_the_landing_has_no_noise_at_the_exact_posterior():
    # x = w z + sigma noise: the posterior is N(w x / (w^2 + sigma^2), sigma^2 / (w^2 + sigma^2)).
    w, sigma, x = 1.5, 0.6, 0.8
    variance = sigma**2 / (w**2 + sigma**2)
    mean, log_var = jnp.array([[w * x / (w**2 + sigma**2)]]), jnp.array([[np.log(variance)]])

    def log_likelihood(z):
        return jnp.sum(jax.scipy.stats.norm.logpdf(jnp.full_like(z, x), w * z, jnp.full_like(z, sigma)))

    ours, exact = landing_gradients(mean, log_var, log_likelihood, 1000)
    for found, noisy in zip(ours, exact, strict=True):
        np.testing.assert_allclose(found, 0.0, atol=1e-5)
        assert np.std(noisy) > 0.1
    # And on the prior, where nothing is learnt from x.
    ours, _ = landing_gradients(jnp.zeros((1, 2)), jnp.zeros((1, 2)), lambda z: 0 * jnp.sum(z), 100)
    for found in ours:
        np.testing.assert_array_equal(found, 0.0)
