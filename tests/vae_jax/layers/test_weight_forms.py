import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bench.remedies.normalization import spectral_norm
from tests.vae_jax.small_vae import KEY
from vae_jax.layers import weight_forms
from vae_jax.recipe.recipe import Recipe


def test_weight_forms_against_numpy():
    kernel = jax.random.normal(KEY, (16, 8)) + 0.5
    array = np.asarray(kernel, np.float64)
    normalized = weight_forms.WeightNorm(kernel)
    np.testing.assert_allclose(normalized(kernel), array, rtol=1e-5)
    # The direction alone counts: a kernel twice as long is the same matrix.
    np.testing.assert_allclose(normalized(2 * kernel), array, rtol=1e-5)
    spectral = weight_forms.SpectralNorm(kernel, iterations=30)
    assert np.linalg.svd(spectral(kernel), compute_uv=False)[0] == pytest.approx(1.0, rel=1e-4)
    standardised = np.asarray(weight_forms.WeightStandardisation(kernel, gain=1.5)(kernel), np.float64)
    np.testing.assert_allclose(standardised.mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(standardised.std(axis=0) * np.sqrt(16), 1.5, rtol=1e-5)
    plain = weight_forms.plain_weights(kernel)
    np.testing.assert_array_equal(plain(kernel), kernel)


def test_the_default_iterations_leave_a_largest_singular_value_of_little_more_than_one():
    form = spectral_norm(Recipe()).weight_form
    kernels = [Recipe().kernel_init(jax.random.key(seed), (64, 64), jnp.float32, "hidden") for seed in range(20)]
    largest = [np.linalg.svd(form(kernel)(kernel), compute_uv=False)[0] for kernel in kernels]
    assert min(largest) > 1 - 1e-5
    assert np.mean(largest) == pytest.approx(1.03, abs=0.015)
    assert max(largest) < 1.15
