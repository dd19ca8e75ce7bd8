"""Initial kernels and biases: `(key, shape, dtype, role)`, plain functions whose numbers `configure` can fix.

A kernel's shape is `(inputs, outputs)`, and of a convolution `(rows, columns, channels, outputs)`, whose fan-in counts
what an output sees of all positions, and whose fan-out what an input is seen by.
"""

import math
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from vae_jax.layers.dense import Role
from vae_jax.recipe.configured import Number

Shape = tuple[int, ...]
Kernel = Float[Array, "... inputs outputs"]
Fan = Literal["fan_in", "fan_out", "fan_avg"]
Distribution = Literal["truncated_normal", "normal", "uniform"]


def zeros(key: PRNGKeyArray, shape: Shape, dtype: type, role: Role) -> Float[Array, "..."]:
    """Nothing but zeros."""
    return jnp.zeros(shape, dtype)


def normal(
    key: PRNGKeyArray, shape: Shape, dtype: type, role: Role, *, standard_deviation: Number
) -> Float[Array, "..."]:
    """Independent draws from N(0, standard_deviation^2), whatever the width."""
    return jax.nn.initializers.normal(standard_deviation)(key, shape, dtype)


def hidden_normal(
    key: PRNGKeyArray, shape: Shape, dtype: type, role: Role, *, standard_deviation: Number
) -> Float[Array, "..."]:
    """Draws from N(0, standard_deviation^2), but zeros in a head, which starts at what the likelihood says."""
    drawn = normal(key, shape, dtype, role, standard_deviation=standard_deviation)
    return jnp.zeros(shape, dtype) if role == "head" else drawn


def variance_scaling(
    key: PRNGKeyArray, shape: Shape, dtype: type, role: Role, *, scale: Number, mode: Fan, distribution: Distribution
) -> Kernel:
    """Draws of variance scale / fan: LeCun, Glorot and He are its points.

    Args:
        key: Key of the draw.
        shape: `(inputs, outputs)`, or of a convolution.
        dtype: Type of the kernel.
        role: The layer's place; all are drawn alike.
        scale: The variance of a kernel entry times the fan.
        mode: `fan_in`, `fan_out` or `fan_avg`.
        distribution: `truncated_normal`, `normal` or `uniform`; all of the same variance.
    """
    return jax.nn.initializers.variance_scaling(scale, mode, distribution)(key, shape, dtype)


def orthogonal(key: PRNGKeyArray, shape: Shape, dtype: type, role: Role, *, scale: Number) -> Kernel:
    """A uniformly drawn matrix, of fan-in and outputs, whose singular values all equal `scale`."""
    return jax.nn.initializers.orthogonal(scale)(key, shape, dtype)


def gaussian_for_activation(key: PRNGKeyArray, shape: Shape, dtype: type, role: Role, *, scale: Number) -> Kernel:
    """Draws of variance scale / fan-in, and 1 / fan-in in a head, which no activation follows."""
    own = 1.0 if role == "head" else scale
    return variance_scaling(key, shape, dtype, role, scale=own, mode="fan_in", distribution="truncated_normal")


def orthogonal_for_activation(key: PRNGKeyArray, shape: Shape, dtype: type, role: Role, *, scale: Number) -> Kernel:
    """Singular values that all equal `scale`, and 1 in a head, which no activation follows."""
    return orthogonal(key, shape, dtype, role, scale=1.0 if role == "head" else scale)


def identity(key: PRNGKeyArray, shape: Shape, dtype: type, role: Role, *, scale: Number) -> Kernel:
    """`scale` times the identity in hidden layers, orthogonal with the same singular values at a tower's two ends.

    In a convolution it is the identity from channels to channels at the middle of the kernel.

    Source:
        Le, Jaitly & Hinton 2015, arXiv:1504.00941, for the identity.
    """
    *positions, inputs, outputs = shape
    if inputs != outputs or role != "hidden":
        return orthogonal(key, shape, dtype, role, scale=scale)
    middle = tuple(size // 2 for size in positions)
    return jnp.zeros(shape, dtype).at[middle].set(scale * jnp.eye(inputs, dtype=dtype))


def sparse(key: PRNGKeyArray, shape: Shape, dtype: type, role: Role, *, connections: int) -> Kernel:
    """Each unit is connected to `connections` units below, drawn at random, with weights from N(0, 1 / connections).

    Source:
        Martens 2010, ICML, "Deep learning via Hessian-free optimization"; the variance there is 1, which with 15
        connections saturates sigmoids, so it is scaled to keep the sum's variance.
    """
    inputs = math.prod(shape[:-1])
    count = min(connections, inputs)
    weights, places = jax.random.split(key)
    # The smallest of independent draws are as many places as asked, all equally likely.
    rank = jnp.argsort(jnp.argsort(jax.random.uniform(places, (inputs, shape[-1])), axis=0), axis=0).reshape(shape)
    return jnp.where(rank < count, jax.random.normal(weights, shape, dtype) / math.sqrt(count), 0.0)


def looks_linear(key: PRNGKeyArray, shape: Shape, dtype: type, role: Role) -> Kernel:
    """Orthogonal weights mirrored, (W, -W): on (relu(z), relu(-z)) they are W z, so the drawn network is linear.

    A layer's inputs must be one such pair of halves, see `DenseTower.require`.

    Source:
        Balduzzi et al. 2017, arXiv:1702.08591.
    """
    if role == "input" or shape[0] % 2:
        return orthogonal(key, shape, dtype, role, scale=1.0)
    half = orthogonal(key, (shape[0] // 2, shape[1]), dtype, role, scale=1.0)
    return jnp.concatenate([half, -half])
