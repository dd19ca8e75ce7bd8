import jax.numpy as jnp
import numpy as np
from scipy import integrate, stats

from vae_jax.objective import gaussian_kl, total_kl


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
