"""The mathematics of one training run of a deep variational autoencoder."""

from vae_jax.configured import configure
from vae_jax.recipe import Recipe

__all__ = ["Recipe", "configure"]
