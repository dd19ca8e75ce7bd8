"""Noise that is drawn inside a model in training: `(h, key) -> h`; evaluation leaves it out."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from vae_jax.recipe.configured import Number

Signal = Float[Array, "batch ... units"]


def no_noise(h: Signal, key: PRNGKeyArray) -> Signal:
    """The signal as it is."""
    return h


def dropout(h: Signal, key: PRNGKeyArray, *, rate: Number) -> Signal:
    """Every entry is 0 with probability `rate`, and the others are divided by what is left.

    Source:
        Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov 2014, JMLR 15.
    """
    kept = 1.0 - rate
    return jnp.where(jax.random.bernoulli(key, kept, h.shape), h / kept, 0.0)


def gaussian_noise(h: Signal, key: PRNGKeyArray, *, standard_deviation: Number) -> Signal:
    """Independent draws from N(0, standard_deviation^2) are added.

    Source:
        Im, Ahn, Memisevic & Bengio 2017, arXiv:1511.06406, for a VAE's inputs.
    """
    return h + standard_deviation * jax.random.normal(key, h.shape, h.dtype)
