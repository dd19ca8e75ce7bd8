"""A map whose values stay and whose gradient passes as through the identity: what if this one did not shrink it?"""

import math
from typing import Any

import jax
import jax.numpy as jnp


def straight_through(gate: jax.Array | bool, before: jax.Array, after: jax.Array) -> jax.Array:
    """`after`; where the gate is true, its gradient goes to `before` as if the two were one.

    Where the shapes differ but for the examples in front, each example's identity is cut or padded with zeros to fit.

    Args:
        gate: A scalar, true or false.
        before: What a map was given.
        after: What it made of it.
    """
    if gate is False:
        return after
    identity = fitted(before, after)
    # The difference is zero to the last bit, so the values stay as they are.
    return jnp.where(gate, jax.lax.stop_gradient(after) + (identity - jax.lax.stop_gradient(identity)), after)


def fitted(value: jax.Array, shape: Any) -> jax.Array:
    """An array in the shape and type of another: each example's entries cut, or padded with zeros."""
    if value.shape != shape.shape:
        flat = value.reshape(value.shape[0], -1)
        size = math.prod(shape.shape) // shape.shape[0]
        cut = flat[:, :size]
        value = jnp.pad(cut, ((0, 0), (0, size - cut.shape[1]))).reshape(shape.shape)
    return value.astype(shape.dtype)
