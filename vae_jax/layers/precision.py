"""Matrix products of lower precision, forward and backward; what they are given and give is float32."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vae_jax.recipe.configured import Number

Signal = Float[Array, "batch inputs"]
Kernel = Float[Array, "inputs outputs"]
Sums = Float[Array, "batch outputs"]


def bfloat16(h: Signal, kernel: Kernel) -> Sums:
    """8 bits of precision and the range of float32: gradients do not underflow, small differences do.

    Source:
        Kalamkar et al. 2019, arXiv:1905.12322.
    """
    return _rounded(h, kernel, jnp.bfloat16)


def float16(h: Signal, kernel: Kernel) -> Sums:
    """11 bits of precision, and nothing below 6e-8: gradients underflow unless the loss is scaled.

    Source:
        Micikevicius et al. 2018, arXiv:1710.03740.
    """
    return _rounded(h, kernel, jnp.float16)


def scaled_float16(h: Signal, kernel: Kernel, *, loss_scale: Number) -> Sums:
    """`float16` of a loss that is so many times as large, whose gradient is divided by that again.

    All else is float32, so it is the same to scale what comes back to each product and to divide what it gives; for a
    power of two it is the same to the last bit. A gradient beyond 65,504 / loss_scale overflows.

    Source:
        Micikevicius et al. 2018, arXiv:1710.03740, section 3.2, with a constant scale.
    """
    up = jnp.asarray(loss_scale)
    down = 1 / up
    return _scaled_back(_rounded(_scaled_back(h, down), _scaled_back(kernel, down), jnp.float16), up)


def _rounded(h: Signal, kernel: Kernel, dtype: type) -> Sums:
    # Back to the input's type: its transpose rounds what comes back from above, too.
    return (h.astype(dtype) @ kernel.astype(dtype)).astype(h.dtype)


@jax.custom_vjp
def _scaled_back(array: Array, factor: Array) -> Array:
    """The array, whose gradient is multiplied by a factor."""
    return array


_scaled_back.defvjp(
    lambda array, factor: (array, factor), lambda factor, gradient: (factor * gradient, jnp.zeros_like(factor))
)
