import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.vae_jax.setting import KEY
from vae_jax.configured import configure
from vae_jax.forward_pass import ForwardPass
from vae_jax.layers import noise
from vae_jax.recipe import Recipe


def test_dropout_keeps_the_mean_and_is_left_out_of_evaluation():
    recipe = Recipe().replace(activation=jax.nn.identity, hidden_noise=configure(noise.dropout, rate=0.25))
    ones = jnp.ones((200, 50))
    np.testing.assert_array_equal(ForwardPass(recipe).activate(ones), ones)
    dropped = np.asarray(ForwardPass(recipe, KEY).activate(ones))
    assert set(np.unique(dropped)) == {0.0, np.float32(1 / 0.75)}
    assert dropped.mean() == pytest.approx(1.0, abs=0.02)
    noisy = np.asarray(noise.gaussian_noise(0 * ones, KEY, standard_deviation=0.3))
    assert noisy.std() == pytest.approx(0.3, rel=0.03)
