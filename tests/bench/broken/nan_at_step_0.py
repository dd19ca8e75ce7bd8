import jax.numpy as jnp

from bench import remedy


def root(x):
    return jnp.sqrt(x)


@remedy(source="Someone 2026", family="activation")
def not_a_number(recipe):
    """The square root of what may be negative."""
    return recipe.replace(activation=root)
