import jax
import jax.numpy as jnp

from bench import remedy
from vae_jax.training.instruments import instrument


@instrument
def log_of_gradient(view):
    """The logarithm of what may be negative."""
    return jnp.log(-jnp.abs(view.loss_parts.score))


@remedy(source="Someone 2026", family="activation")
def measured(recipe):
    """Nothing is wrong with it, but with what it is measured by."""
    return recipe.replace(activation=jax.nn.softplus)
