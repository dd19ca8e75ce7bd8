import jax
import jax.numpy as jnp

from bench import remedy


def chatty(x):
    jax.debug.print("{}", x.mean())
    return jnp.tanh(x)


@remedy(source="Someone 2026", family="activation")
def reports(recipe):
    """Says what it sees, at every step."""
    return recipe.replace(activation=chatty)
