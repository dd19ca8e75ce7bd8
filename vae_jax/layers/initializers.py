"""Initial kernels: jax's own initializers as plain functions, whose numbers `configure` can fix."""

from typing import Literal

import jax
from jaxtyping import Array, Float, PRNGKeyArray

from vae_jax.configured import Number

Shape = tuple[int, ...]
Fan = Literal["fan_in", "fan_out", "fan_avg"]
Distribution = Literal["truncated_normal", "normal", "uniform"]


def normal(key: PRNGKeyArray, shape: Shape, dtype: type, *, standard_deviation: Number) -> Float[Array, "..."]:
    """Independent draws from N(0, standard_deviation^2), whatever the width."""
    return jax.nn.initializers.normal(standard_deviation)(key, shape, dtype)


def variance_scaling(
    key: PRNGKeyArray, shape: Shape, dtype: type, *, scale: Number, mode: Fan, distribution: Distribution
) -> Float[Array, "..."]:
    """Draws of variance scale / fan: LeCun, Glorot and He are its points.

    Args:
        key: Key of the draw.
        shape: `(inputs, outputs)`.
        dtype: Type of the kernel.
        scale: The variance of a kernel entry times the fan.
        mode: `fan_in`, `fan_out` or `fan_avg`.
        distribution: `truncated_normal`, `normal` or `uniform`; all of the same variance.
    """
    return jax.nn.initializers.variance_scaling(scale, mode, distribution)(key, shape, dtype)


def orthogonal(key: PRNGKeyArray, shape: Shape, dtype: type, *, scale: Number) -> Float[Array, "..."]:
    """A uniformly drawn matrix whose singular values all equal `scale`."""
    return jax.nn.initializers.orthogonal(scale)(key, shape, dtype)
