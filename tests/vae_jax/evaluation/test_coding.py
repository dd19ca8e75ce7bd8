from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tests.vae_jax.small_vae import ARCHITECTURE, DATASET, TANH, begin, data
from vae_jax.evaluation.coding import Trained, decode, encode, from_paths, missed, paths
from vae_jax.models.autoencoder import AutoencoderArchitecture
from vae_jax.models.likelihoods import SquaredError
from vae_jax.recipe.forward_pass import ForwardPass

ROWS = jnp.asarray(DATASET.test[:6])


def trained(architecture: Any = ARCHITECTURE):
    state = begin(TANH, architecture=architecture)
    return Trained(state.parameters, state.statistics, data().mean)


def test_a_vaes_code_is_its_posteriors_mean_and_decoded_the_likelihoods_mean():
    model, recipe = trained(), TANH.traced()
    code = encode(model, recipe, ROWS, architecture=ARCHITECTURE)
    whole = model.model(recipe, ARCHITECTURE)
    batch = ARCHITECTURE.present(None, ROWS, model.mean)
    # With no noise z is the mean.
    forward = whole(batch, jnp.zeros((6, 4)), ForwardPass(recipe))
    np.testing.assert_array_equal(code, forward.latents[0].mean)
    made = decode(model, recipe, code, architecture=ARCHITECTURE)
    np.testing.assert_allclose(made, jax.nn.sigmoid(forward.outputs), rtol=1e-6)
    expected = -ARCHITECTURE.likelihood.log_prob(forward.outputs, ROWS)
    np.testing.assert_allclose(missed(model, recipe, code, ROWS, architecture=ARCHITECTURE), expected, rtol=1e-6)


def test_an_autoencoders_code_is_what_its_decoder_is_given():
    architecture = AutoencoderArchitecture(64, 3, 16, 4, SquaredError())
    model, recipe = trained(architecture), TANH.traced()
    code = encode(model, recipe, ROWS, architecture=architecture)
    batch = architecture.present(None, ROWS, model.mean)
    outputs = model.model(recipe, architecture)(batch, (), ForwardPass(recipe)).outputs
    np.testing.assert_allclose(decode(model, recipe, code, architecture=architecture), outputs, rtol=1e-6)


def test_arrays_by_path_are_the_model_again():
    model = trained()
    named = paths(model)
    assert "parameters.decoder.head.bias" in named
    assert "mean" in named
    back = from_paths(named, jax.eval_shape(lambda: model))
    assert jax.tree.structure(back) == jax.tree.structure(model)
    jax.tree.map(np.testing.assert_array_equal, back, model)
