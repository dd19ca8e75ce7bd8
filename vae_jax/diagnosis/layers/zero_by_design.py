"""Parameters that are exactly zero, as the last matrix of a branch often is, and so pass no gradient at the start."""

from collections.abc import Iterable, Mapping

import jax.numpy as jnp
import numpy as np

from vae_jax.diagnosis.tracing.graph import Graph
from vae_jax.diagnosis.tracing.passes import Value

_MULTIPLY = frozenset({"mul", "dot_general", "conv_general_dilated", "ragged_dot", "ragged_dot_general"})

_SMALL = 0.3


def zero_factors(graph: Graph) -> frozenset[int]:
    """Which of the parameters' leaves the signal is multiplied with, by place."""
    found: set[int] = set()
    for operation in graph.operations:
        if operation.names & _MULTIPLY and graph.signal.intersection(operation.inputs):
            found |= {
                leaf for number in operation.inputs if number not in graph.signal
                for leaf in graph.sources.get(number, ())
            }  # fmt: skip
    return frozenset(found)


def waking(
    graph: Graph, leaves: Mapping[int, Value], gradients: Mapping[int, Value], factors: Iterable[int]
) -> dict[int, Value]:
    """For each factor that is exactly zero and gets a gradient, what a few steps make of it: small numbers, at random.

    Args:
        graph: The model with its loss.
        leaves: The parameters' leaves, by place.
        gradients: By the number of a value what arrives there.
        factors: Of `zero_factors`.
    """
    draw = np.random.default_rng(0)
    awake = {}
    for place in sorted(factors):
        leaf, gradient = leaves[place], gradients.get(graph.parameters[place])
        asleep = leaf.size and not np.any(np.asarray(leaf)) and gradient is not None
        if asleep and np.any(np.asarray(gradient)) and np.isfinite(np.asarray(gradient)).all():
            fan_in = int(np.prod(leaf.shape[:-1])) if leaf.ndim > 1 else 0
            scale = 1 / np.sqrt(fan_in) if fan_in else _SMALL
            awake[place] = jnp.asarray(scale * draw.normal(size=leaf.shape), leaf.dtype)
    return awake
