from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.vae_jax.small_vae import ARCHITECTURE, data
from vae_jax.initialization import data_dependent
from vae_jax.layers import blocks
from vae_jax.recipe.configured import configure
from vae_jax.recipe.keys import named_key
from vae_jax.recipe.recipe import Recipe
from vae_jax.towers import gate_biases
from vae_jax.towers.cells import GRUCell, LSTMCell
from vae_jax.towers.recurrent import Recurrent
from vae_jax.training.train import init, present


def test_data_give_every_layer_what_it_promises():
    key = jax.random.key(0)
    batch, _ = present(named_key(key, "calibration"), jnp.zeros((), jnp.int32), data().train, data(), ARCHITECTURE)

    def sums(what):
        """The sums of each of the encoder's layers on the training examples."""
        recipe = Recipe(activation=jnp.tanh).replace(data_dependent_init=what)
        tower, h = init(key, recipe, ARCHITECTURE, data())[0]["encoder"], np.asarray(batch.inputs, np.float64)
        for unit in (tower["input"], *(tower["blocks"][i]["unit"] for i in tower["blocks"])):
            total = h @ np.asarray(unit["dense"]["kernel"], np.float64) + np.asarray(unit["dense"]["bias"], np.float64)
            yield total
            h = np.tanh(total)

    for total in sums(data_dependent.unit_variance):
        assert total.std() == pytest.approx(1.0, rel=1e-4)
    for total in sums(data_dependent.zero_mean_unit_variance):
        np.testing.assert_allclose(total.mean(axis=0), 0.0, atol=1e-4)
        np.testing.assert_allclose(total.std(axis=0), 1.0, rtol=1e-4)


INITIALIZATIONS = [data_dependent.unit_variance, data_dependent.zero_mean_unit_variance]


def drawn(architecture=ARCHITECTURE, **slots):
    """The encoder as drawn, and as data have changed it."""
    recipe, key = Recipe(activation=jnp.tanh).replace(**slots), jax.random.key(0)
    whats = (data_dependent.no_data_dependent_init, *INITIALIZATIONS)
    return [init(key, recipe.replace(data_dependent_init=what), architecture, data())[0]["encoder"] for what in whats]


@pytest.mark.parametrize(("cell", "gate"), [(LSTMCell, "forget"), (GRUCell, "update")])
def test_gates_start_where_their_biases_say(cell, gate):
    plain, *others = drawn(replace(ARCHITECTURE, encoder=Recurrent(8)), cell=cell, gate_bias=gate_biases.chrono)

    def dense(tower, name):
        return tower["cell"]["gates"][name]["unit"]["dense"]

    assert float(dense(plain, gate)["bias"].mean()) > 1
    for other in others:
        for name in ("kernel", "bias"):
            np.testing.assert_array_equal(dense(other, gate)[name], dense(plain, gate)[name])
        assert not np.array_equal(dense(other, "candidate")["kernel"], dense(plain, "candidate")["kernel"])


def test_highways_stay_shut_and_fixups_branches_as_small_as_they_were_drawn():
    _, *others = drawn(block=configure(blocks.HighwayBlock, gate_bias=-3.0))
    for other in others:
        np.testing.assert_array_equal(other["blocks"][0]["gate"]["bias"], -3.0)
    plain, *others = drawn(block=blocks.FixupBlock)
    for other in others:
        jax.tree.map(np.testing.assert_array_equal, other["blocks"], plain["blocks"])
        assert not np.array_equal(other["input"]["dense"]["kernel"], plain["input"]["dense"]["kernel"])
