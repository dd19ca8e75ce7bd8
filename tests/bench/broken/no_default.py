import jax

from bench import remedy
from vae_jax import configure


@remedy(source="Someone 2026", family="activation")
def undecided(recipe, negative_slope):
    """A slope that nobody has chosen."""
    return recipe.replace(activation=configure(jax.nn.leaky_relu, negative_slope=negative_slope))
