"""How steep an activation is where it was used, of the steepest that it can be: by this a unit is called saturated."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

FLAT_SLOPE = 0.05
"""Share of its largest slope below which an activation passes nothing on: for sigmoid, |z| beyond 4.4."""


def relative_slope(
    activation: Callable[[Array], Array], z: Float[Array, "*shape"], *, of_each_entry: bool = False
) -> Float[Array, "*shape"]:
    """|phi'(z)|, entry by entry, as a share of the largest slope that phi has within 8 of 0.

    Args:
        activation: phi, which acts on each entry alone.
        z: What was activated.
        of_each_entry: Whether every entry has a phi of its own, so that all that can be asked is what becomes of an
            array of z's shape; else phi is the same for all, and takes any shape.
    """

    def slope(z: Array) -> Array:
        return jnp.abs(jax.jvp(activation, (z,), (jnp.ones_like(z),))[1])

    if of_each_entry:
        # One value after the other, and few: all at once they would be many times the layer.
        near = jnp.asarray(np.linspace(-8.0, 8.0, 33), z.dtype)
        steepest = jax.lax.fori_loop(
            0, len(near), lambda i, most: jnp.maximum(most, slope(jnp.full_like(z, near[i]))), jnp.zeros_like(z)
        )
    else:
        # numpy's, which holds 0 itself: jax's own, compiled, may lie beside it, where selu has another slope.
        near = jnp.asarray(np.linspace(-8.0, 8.0, 321))
        steepest = jnp.max(slope(near))
    return slope(jax.lax.stop_gradient(z)) / steepest
