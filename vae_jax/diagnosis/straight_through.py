"""A map whose values stay and whose gradient passes as through the identity: what if this one did not shrink it?"""

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
    identity = _fitted(before, after)
    # The difference is zero to the last bit, so the values stay as they are.
    return jnp.where(gate, jax.lax.stop_gradient(after) + (identity - jax.lax.stop_gradient(identity)), after)


def _fitted(before: jax.Array, after: jax.Array) -> jax.Array:
    """The first array in the second's shape and type: each example's entries cut, or padded with zeros."""
    if before.shape != after.shape:
        flat = before.reshape(before.shape[0], -1)
        size = after.size // after.shape[0]
        cut = flat[:, :size]
        before = jnp.pad(cut, ((0, 0), (0, size - cut.shape[1]))).reshape(after.shape)
    return before.astype(after.dtype)
