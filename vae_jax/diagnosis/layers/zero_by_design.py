"""Parameters that are exactly zero, as the last matrix of a branch often is, and so pass no gradient at the start."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from vae_jax.diagnosis.layers.chain import Chain
from vae_jax.diagnosis.tracing.graph import Graph
from vae_jax.diagnosis.tracing.passes import Passes, Pulled, Value

_MULTIPLY = frozenset({"mul", "dot_general", "conv_general_dilated", "ragged_dot", "ragged_dot_general"})

_SMALL = 0.3


class Woken(NamedTuple):
    """A model as a few steps would leave it.

    Attributes:
        parameters: With small numbers for those that were exactly zero and kept a gradient back.
        asleep: The names of those.
        values: Of the forward pass with them.
        pulled: Of its backward pass.
    """

    parameters: Any
    asleep: tuple[str, ...]
    values: Mapping[int, Value]
    pulled: Pulled


def woken(
    chain: Chain, passes: Passes, parameters: Any, batch: Any, values: Mapping[int, Value], pulled: Pulled, loss: int
) -> Woken:
    """The model with what is exactly zero made small, where it keeps the gradient from a layer.

    Args:
        chain: The model's blocks.
        passes: Its passes.
        parameters: Its parameters.
        batch: What it is called with.
        values: Of the forward pass.
        pulled: Of the backward pass.
        loss: The loss's number.
    """
    graph = chain.graph
    leaves, structure = jax.tree.flatten(parameters)
    factors = zero_factors(graph)
    names = ["/".join(jax.tree_util.keystr((key,), simple=True) for key in path)
             for path, _ in jax.tree_util.tree_flatten_with_path(parameters)[0]]  # fmt: skip
    asleep: list[str] = []
    while not all(arrives(pulled, row.after) for row in chain.rows):
        awake = waking(graph, dict(enumerate(leaves)), pulled.at, factors)
        if not awake:
            break
        for place, value in awake.items():
            leaves[place] = value
            asleep.append(names[place])
        values = passes.forward(jax.tree.unflatten(structure, leaves), batch)
        pulled = passes.backward(values, {loss: jnp.ones_like(values[loss])})
    return Woken(jax.tree.unflatten(structure, leaves), tuple(asleep), values, pulled)


def arrives(pulled: Pulled, number: int) -> bool:
    """Whether any gradient comes back at a value."""
    return number in pulled.at and bool(np.any(np.asarray(pulled.at[number])))


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
