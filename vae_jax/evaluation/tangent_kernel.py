"""The neural tangent kernel of a model: how far apart a step of gradient descent can move its examples."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

Parameters = Any

EXAMPLES = 64
"""Of which the kernel is taken: its condition grows with their number."""


def tangent_condition(
    outputs_of: Callable[[Parameters], Float[Array, "examples ..."]], parameters: Parameters, key: PRNGKeyArray
) -> Float[Array, ""]:
    """Log10 of the condition of the neural tangent kernel of one random projection of the outputs, fixed by the key.

    Entry (i, j) of the kernel is the product of the gradients of examples i's and j's projected output with respect to
    all parameters; its condition is the largest eigenvalue over the smallest. Where it is large, some differences
    between examples are learnt that many times later than what all have in common.

    Args:
        outputs_of: The model's outputs for some fixed examples.
        parameters: Where the gradients are taken.
        key: Of the projection.

    Returns:
        At most 7, which is what float32 can tell: a kernel that is singular has no condition.

    Source:
        Jacot, Gabriel & Hongler 2018, arXiv:1806.07572; of its condition in deep networks Xiao, Pennington &
        Schoenholz 2020, arXiv:1912.13053.
    """
    shape = jax.eval_shape(outputs_of, parameters).shape
    direction = jax.random.normal(key, shape[1:])

    def projected(parameters: Parameters) -> Float[Array, " examples"]:
        outputs = outputs_of(parameters)
        return jnp.sum((outputs * direction[None].astype(outputs.dtype)).reshape(len(outputs), -1), axis=1)

    jacobian = jax.tree.leaves(jax.jacrev(projected)(parameters))
    flat = [leaf.reshape(shape[0], -1).astype(jnp.float32) for leaf in jacobian]
    # One scale for all: a kernel of vanished gradients would underflow.
    largest = jnp.maximum(jnp.max(jnp.stack([jnp.max(jnp.abs(leaf)) for leaf in flat])), jnp.finfo(jnp.float32).tiny)
    kernel = sum((leaf / largest) @ (leaf / largest).T for leaf in flat)
    values = jnp.linalg.eigvalsh(jnp.asarray(kernel))
    return jnp.log10(values[-1] / jnp.maximum(values[0], 1e-7 * values[-1]))
