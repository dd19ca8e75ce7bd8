import jax

from bench import remedy
from vae_jax import configure


@remedy(source="Someone 2026", family="activation", idle={"negative_slope": 1.0})
def never_idle(recipe, *, negative_slope: float = 0.1):
    """Says that it does nothing where it is the identity, and the base is a sigmoid."""
    return recipe.replace(activation=configure(jax.nn.leaky_relu, negative_slope=negative_slope))
