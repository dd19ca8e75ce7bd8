import jax.numpy as jnp
import optax

from bench import remedy
from vae_jax import configure


def at_the_end(step):
    return jnp.where(step == 3, jnp.nan, 1.0)


@remedy(source="Someone 2026", family="gradient")
def late(recipe):
    """Spoils the last step of four, which no loss sees any more."""
    return recipe.chain(gradient_transforms=configure(optax.scale_by_schedule, step_size_fn=at_the_end))
