from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.vae_jax.small_vae import ARCHITECTURE, DATASET, KEY, begin, first_step
from vae_jax.layers import noise
from vae_jax.models.batch import Batch
from vae_jax.objective.loss import loss, structure
from vae_jax.recipe.configured import configure
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.recipe import Recipe


def test_dropout_keeps_the_mean_and_is_left_out_of_evaluation():
    recipe = Recipe().replace(activation=jax.nn.identity, hidden_noise=configure(noise.dropout, rate=0.25))
    ones = jnp.ones((200, 50))
    np.testing.assert_array_equal(ForwardPass(recipe).activate(ones), ones)
    dropped = np.asarray(ForwardPass(recipe, KEY).activate(ones))
    assert set(np.unique(dropped)) == {0.0, np.float32(1 / 0.75)}
    assert dropped.mean() == pytest.approx(1.0, abs=0.02)
    noisy = np.asarray(noise.gaussian_noise(0 * ones, KEY, standard_deviation=0.3))
    assert noisy.std() == pytest.approx(0.3, rel=0.03)


def test_the_encoder_sees_the_inputs_noise_and_the_reconstruction_does_not():
    """The likelihood is told x itself, and the decoder's outputs are those for x with the noise added by hand."""
    recipe = Recipe().replace(input_noise=configure(noise.gaussian_noise, standard_deviation=0.5))
    state, x = begin(recipe), jnp.asarray(DATASET.train[:32])
    centred, draws = x - DATASET.mean[None], jax.random.normal(KEY, (32, ARCHITECTURE.latent))

    def terms(traced, inputs) -> Any:
        given = first_step(state.statistics, traced, Batch(inputs, x), draws)
        return loss(structure(traced, ARCHITECTURE), ARCHITECTURE, state.parameters, given)[1][0]

    step = ForwardPass(recipe, first_step(state.statistics, recipe, Batch(centred, x), draws).key)
    added = step.noisy(recipe.input_noise, centred, "input_noise")
    assert float(jnp.std(added - centred)) == pytest.approx(0.5, rel=0.05)
    found, by_hand, clean = terms(recipe, centred), terms(Recipe(), added), terms(Recipe(), centred)
    np.testing.assert_array_equal(found, by_hand)
    assert abs(float(found.kl_nats - clean.kl_nats)) > 1e-4 * float(clean.kl_nats)
