"""How a recurrent cell's gates start: `(key, shape, dtype, length) -> (keep, write)`, added to two gates' biases.

`keep` is of the gate that holds on to the state, `write` of the one that lets new input in, where a cell has both.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from vae_jax.recipe.configured import Number

Biases = tuple[Float[Array, " width"], Float[Array, " width"]]


def no_gate_bias(key: PRNGKeyArray, shape: tuple[int], dtype: type, length: int) -> Biases:
    """Gates half open: a state that is only kept halves at every step."""
    return jnp.zeros(shape, dtype), jnp.zeros(shape, dtype)


def constant_keep(key: PRNGKeyArray, shape: tuple[int], dtype: type, length: int, *, keep: Number) -> Biases:
    """One bias for every unit's gate that keeps; the other as it was.

    Source:
        Gers, Schmidhuber & Cummins 2000, Neural Computation 12(10).
    """
    return jnp.full(shape, keep, dtype), jnp.zeros(shape, dtype)


def chrono(key: PRNGKeyArray, shape: tuple[int], dtype: type, length: int) -> Biases:
    """log U(1, length - 1) to keep and its negative to write: each unit forgets after a time of its own.

    A gate sigmoid(log u) = u / (u + 1) keeps a state for about u + 1 steps.

    Args:
        key: Of the draw.
        shape: `(width,)`.
        dtype: Of the biases.
        length: Steps of a sequence, the longest time that there is to remember.

    Source:
        Tallec & Ollivier 2018, arXiv:1804.11188, equation 16.
    """
    keep = jnp.log(jax.random.uniform(key, shape, dtype, minval=1.0, maxval=float(max(length - 1, 1))))
    return keep, -keep
