import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.vae_jax.small_vae import KEY, H
from vae_jax.layers.dense import Dense
from vae_jax.layers.weight_forms import WeightNorm
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.recipe import Recipe

RECIPE = Recipe()
CONTEXT = jax.random.normal(jax.random.key(9), (len(H), 3))


def product(layer, h):
    return np.asarray(h, np.float64) @ np.asarray(layer.kernel[...], np.float64) + np.asarray(layer.bias[...])


def test_a_layer_is_a_matrix_and_a_bias():
    layer = Dense(16, 8, RECIPE, KEY)
    layer.bias[...] = jnp.arange(8.0)
    np.testing.assert_allclose(layer(H, ForwardPass(RECIPE)), product(layer, H), rtol=1e-4, atol=1e-5)


def test_a_layer_may_see_more_beside_its_input():
    run = ForwardPass(RECIPE, context=CONTEXT)
    hidden = Dense(16, 8, RECIPE, KEY, context=3)
    assert hidden.kernel.shape == (19, 8)
    wide = np.concatenate([H, CONTEXT], axis=1)
    np.testing.assert_allclose(hidden(H, run), product(hidden, wide), rtol=1e-4, atol=1e-5)


def test_data_may_adjust_every_layer_but_heads_and_what_takes_no_data():
    seen = []
    run = ForwardPass(RECIPE, adjust=lambda layer, h: seen.append((layer, h.shape)))
    first, hidden, head, gate = (Dense(16, 8, RECIPE, KEY, role=role) for role in ("input", "hidden", "head", "hidden"))
    gate.takes_data = False
    for layer in (first, hidden, head, gate):
        layer(H, run)
    assert seen == [(first, (32, 16)), (hidden, (32, 16))]


@pytest.mark.parametrize("recipe", [RECIPE, RECIPE.replace(weight_form=WeightNorm)])
def test_a_rescaled_output_is_as_much_larger_in_every_form(recipe):
    layer, factor = Dense(16, 8, recipe, KEY), jnp.linspace(0.5, 4, 8)
    before = np.asarray(layer(H, ForwardPass(recipe)))
    layer.rescale(factor)
    np.testing.assert_allclose(layer(H, ForwardPass(recipe)), before * np.asarray(factor), rtol=1e-4, atol=1e-5)
