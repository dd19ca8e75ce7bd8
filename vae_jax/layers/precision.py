"""Matrix products of lower precision, forward and backward; what they are given and give is float32."""

import jax.numpy as jnp
from jaxtyping import Array, Float

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


def _rounded(h: Signal, kernel: Kernel, dtype: type) -> Sums:
    # Back to the input's type: its transpose rounds what comes back from above, too.
    return (h.astype(dtype) @ kernel.astype(dtype)).astype(h.dtype)
