import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from vae_jax.layers import blocks, units
from vae_jax.models.equal_size import TOLERANCE, comparable
from vae_jax.models.vae import VAE, VAEArchitecture
from vae_jax.recipe.configured import configure
from vae_jax.recipe.recipe import Recipe
from vae_jax.towers import skip_connections

SIZES = VAEArchitecture(data=64, depth=8, width=64, latent=8)


def count(architecture, recipe):
    model = nnx.eval_shape(lambda: VAE(architecture, recipe, jax.random.key(0), jnp.zeros(64)))
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.as_pure(nnx.split(model, nnx.Param, ...)[1])))


@pytest.mark.parametrize(
    "slots",
    [
        {"unit": configure(units.MaxoutUnit, pieces=2)},
        {"unit": configure(units.MaxoutUnit, pieces=5)},
        {"unit": units.GatedUnit},
        {"unit": units.ConcatenatedUnit},
        {"block": configure(blocks.HighwayBlock, gate_bias=-1.0)},
        {"block": blocks.DenselyConnectedBlock},
        {"block": blocks.FixupBlock},
        {"decoder_context": skip_connections.encoder_context},
        {"decoder_context": skip_connections.latent_context},
        {"unit": units.GatedUnit, "block": configure(blocks.HighwayBlock, gate_bias=-1.0)},
    ],
    ids=lambda slots: "+".join(getattr(getattr(v, "function", v), "__name__", "") for v in slots.values()),
)
def test_forms_of_other_matrices_have_as_many_parameters_as_the_plain_stack(slots):
    recipe = Recipe().replace(**slots)
    found = comparable(SIZES, recipe)
    assert found.width % 2 == 0
    assert abs(count(found, recipe) / count(SIZES, Recipe()) - 1) <= TOLERANCE


@pytest.mark.parametrize("slots", [{}, {"block": blocks.PreActivationResidualBlock}])
def test_forms_of_the_same_matrices_keep_the_workloads_width(slots):
    assert comparable(SIZES, Recipe().replace(**slots)) == SIZES
