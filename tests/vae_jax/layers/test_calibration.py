import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.vae_jax.setting import ARCHITECTURE, DATASET, data
from vae_jax.keys import named_key
from vae_jax.layers import calibration
from vae_jax.recipe import Recipe
from vae_jax.train import init, present


def test_calibration_gives_every_layer_what_it_promises():
    key = jax.random.key(0)
    x, _ = present(named_key(key, "calibration"), jnp.zeros((), jnp.int32), data().train, ARCHITECTURE)

    def sums(what):
        """What each of the encoder's layers sums up to on the first batch."""
        recipe = Recipe(activation=jnp.tanh).replace(calibration=what)
        tower, h = init(key, recipe, ARCHITECTURE, data())[0]["encoder"], np.asarray(x, np.float64) - DATASET.mean
        for unit in (tower["input"], *(tower["blocks"][i]["unit"] for i in tower["blocks"])):
            total = h @ np.asarray(unit["dense"]["kernel"], np.float64) + np.asarray(unit["dense"]["bias"], np.float64)
            yield total
            h = np.tanh(total)

    for total in sums(calibration.unit_variance):
        assert total.std() == pytest.approx(1.0, rel=1e-4)
    for total in sums(calibration.zero_mean_unit_variance):
        np.testing.assert_allclose(total.mean(axis=0), 0.0, atol=1e-4)
        np.testing.assert_allclose(total.std(axis=0), 1.0, rtol=1e-4)
