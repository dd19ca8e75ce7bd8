"""The mathematics of one training run of a deep variational autoencoder, and of what is wrong with one."""

# First: it says what the slots of every recipe hold.
import vae_jax.defaults as defaults
from vae_jax.diagnosis.diagnose import diagnose
from vae_jax.recipe.configured import configure
from vae_jax.recipe.recipe import Recipe

__all__ = ["Recipe", "configure", "defaults", "diagnose"]
