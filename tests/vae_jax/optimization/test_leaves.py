"""Which parameters are chosen on models as they are drawn: a dense one with Fixup's blocks, and an LSTM's."""

import jax
import optax
import pytest

from tests.vae_jax.small_vae import ARCHITECTURE, KEY, data
from vae_jax.layers.blocks import FixupBlock
from vae_jax.models.vae import VAEArchitecture
from vae_jax.optimization.leaves import below_heads, hidden_kernels, kernels, scalars
from vae_jax.recipe.recipe import Recipe
from vae_jax.towers.cells import LSTMCell
from vae_jax.towers.recurrent import Recurrent
from vae_jax.training.train import init

DENSE = (Recipe().replace(block=FixupBlock), ARCHITECTURE)
# Four steps of 16 values each.
LSTM = (
    Recipe().replace(cell=LSTMCell),
    VAEArchitecture(data=64, depth=1, width=16, latent=4, encoder=Recurrent(length=4)),
)
TOWERS, GATES = ("encoder", "decoder"), ("input", "forget", "candidate", "output")
BLOCKS = {f"{tower}/blocks/{block}" for tower in TOWERS for block in range(ARCHITECTURE.depth)}
RECURRENT = {f"encoder/cell/gates/{gate}" for gate in GATES}
HIDDEN = {f"{block}/{layer}/kernel" for block in BLOCKS for layer in ("unit/dense", "second")}
LSTM_HIDDEN = {"decoder/blocks/0/unit/dense/kernel"} | {f"{gate}/recurrent" for gate in RECURRENT}
WHOLE = {f"{block}/{name}" for block in BLOCKS for name in ("bias_before_first", "bias_before_second", "scale")}
HEADS = {f"{tower}/head/{name}" for tower in TOWERS for name in ("kernel", "bias")}


def paths(model, choose=lambda parameters: jax.tree.map(lambda _: True, parameters)):
    recipe, architecture = model
    shapes = jax.eval_shape(lambda key: init(key, recipe, architecture, data())[0], KEY)
    chosen = jax.tree.leaves_with_path(choose(optax.tree.zeros_like(shapes)))
    return {jax.tree_util.keystr(path, simple=True, separator="/") for path, told in chosen if told}


@pytest.mark.parametrize(
    ("model", "hidden", "whole_layers"), [(DENSE, HIDDEN, WHOLE), (LSTM, LSTM_HIDDEN, set())], ids=["dense", "lstm"]
)
def test_the_chosen_leaves_of_a_model_are_those_that_are_meant(model, hidden, whole_layers):
    assert paths(model, hidden_kernels) == hidden
    assert paths(model, scalars) == whole_layers
    assert paths(model) - paths(model, below_heads) == HEADS
    assert paths(model, kernels) == {path for path in paths(model) if path.endswith(("kernel", "recurrent"))}
