import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.vae_jax.small_vae import KEY, H
from vae_jax.layers import precision
from vae_jax.recipe.configured import configure


@pytest.mark.parametrize(("product", "bits"), [(precision.bfloat16, 8), (precision.float16, 11)])
def test_products_round_as_their_type_does_and_so_do_their_gradients(product, bits):
    kernel = jax.random.normal(KEY, (16, 16)) / 4
    exact = np.asarray(H, np.float64) @ np.asarray(kernel, np.float64)
    error = np.abs(np.asarray(product(H, kernel)) - exact).max() / np.abs(exact).max()
    assert 2.0 ** -(bits + 3) < error < 2.0 ** -(bits - 2)
    # A gradient of 1e-9 is nothing in float16, and something in bfloat16.
    gradient = jax.grad(lambda h: jnp.sum(1e-9 * product(h, kernel)))(H)
    assert bool(jnp.all(gradient == 0)) == (product is precision.float16)


def test_a_scaled_loss_keeps_what_float16_would_lose():
    scaled = configure(precision.scaled_float16, loss_scale=2.0**20)
    kernel = jax.random.normal(KEY, (16, 16)) / 4

    def gradient(product, size):
        return np.asarray(jax.grad(lambda pair: jnp.sum(size * product(*pair)))((H, kernel))[0], np.float64)

    exact = gradient(jnp.matmul, 1e-9)
    np.testing.assert_allclose(gradient(scaled, 1e-9), exact, atol=2e-3 * np.abs(exact).max())
    # A loss that is really so many times as large gives the same bits.
    np.testing.assert_array_equal(gradient(scaled, 1e-3), gradient(precision.float16, 1e-3 * 2**20) / 2**20)
    np.testing.assert_array_equal(scaled(H, kernel), precision.float16(H, kernel))
