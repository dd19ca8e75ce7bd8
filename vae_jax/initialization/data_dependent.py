"""Initialization from data: `(layer, inputs)`, which changes a layer by what all training examples look like there.

It is called by every layer in the order of the signal, so each sees what the layers below it have already become. Left
out are heads, and what a block or a cell starts on purpose as it is: gates, and the branches of Fixup.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from vae_jax.layers.dense import Dense

Inputs = Float[Array, "batch ... inputs"]

# Where nothing varies there is nothing to divide by.
_TINY = 1e-6


def no_data_dependent_init(layer: Dense, h: Inputs) -> None:
    """The layer as it was drawn."""


def unit_variance(layer: Dense, h: Inputs) -> None:
    """Divides the matrix by the standard deviation of all that it gives, so that this becomes 1.

    Source:
        Mishkin & Matas 2016, arXiv:1511.06422 (LSUV). One division is enough: a sum is linear in its matrix.
    """
    z = layer.multiply(h)
    layer.rescale(1 / jnp.maximum(jnp.std(z), _TINY)[None])


def zero_mean_unit_variance(layer: Dense, h: Inputs) -> None:
    """Scale and bias under which every unit has mean 0 and variance 1 over the training examples.

    Source:
        Salimans & Kingma 2016, arXiv:1602.07868, section 3.
    """
    z = layer.multiply(h)
    examples = tuple(range(z.ndim - 1))
    deviation = jnp.maximum(jnp.std(z, axis=examples), _TINY)
    layer.rescale(1 / deviation)
    layer.bias[...] = -jnp.mean(z, axis=examples) / deviation
