"""Who keeps a gradient from a model's first layer: asked of a whole model, of one way through it, and over time."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp

from vae_jax.diagnosis.layers.attribution import (
    FADED,
    GROWN,
    NOBODY,
    Arrival,
    Blame,
    TooLongError,
    blame,
    block_factors,
    kind_factors,
)
from vae_jax.diagnosis.layers.chain import find_chain
from vae_jax.diagnosis.layers.ratios import quotient
from vae_jax.diagnosis.layers.readings import Layer, over_time
from vae_jax.diagnosis.tracing.graph import trace
from vae_jax.diagnosis.tracing.passes import Passes

OVER_TIME = "recurrence over time"
"""The kind to blame where the gradient arrives at the first layer, but only from a sequence's last steps."""


class Asked(NamedTuple):
    """Who keeps the gradient back on a way, and what was asked for it.

    Attributes:
        blame: The block, or the kind of block.
        kinds: How many times more comes back with all steps of a kind replaced, by kind.
        factors: The same of each of the chain's blocks, from the first one on; None of one that was not asked.
        left_out: Why no single block was asked; empty where they were.
    """

    blame: Blame = NOBODY
    kinds: Mapping[str, float] = {}
    factors: Sequence[float | None] = ()
    left_out: str = ""


def blame_way(arrival: Arrival, first: int, layers: Sequence[Layer]) -> Asked:
    """Who keeps the gradient back between two blocks.

    Args:
        arrival: What comes back at the first of them.
        first: Which of the chain's blocks that is.
        layers: As they were read, for the recurrences among them.
    """
    kinds = kind_factors(arrival)
    try:
        factors = block_factors(arrival)
    except TooLongError:
        return Asked(blame(arrival, (), kinds), kinds, (), "that would take too long")
    found = blame(arrival, factors, kinds)
    if not found.kind:
        found = blame_over_time({layer.name: layer.over_time for layer in layers})
    return Asked(found, kinds, (*[None] * first, *factors))


def blame_recurrence(name: str, ratio: float) -> Asked:
    """A recurrence that loses or multiplies the gradient between its steps.

    Args:
        name: Its own.
        ratio: |dL/d(state)| after its first step over that after its last.
    """
    return Asked(Blame(name, OVER_TIME, max(ratio, quotient(1.0, ratio))))


def blame_whole(function: Callable[[Any, Any], tuple[Any, Any]], parameters: Any, batch: Any) -> Blame:
    """Who keeps a loss's gradient from a model's first layer: a block, a kind of step, a recurrence, or nobody.

    Args:
        function: From parameters and a batch to the loss and the model's outputs.
        parameters: The model's.
        batch: What it is called with.
    """
    graph = trace(function, parameters, batch)
    loss, *made = graph.outputs
    chain = find_chain(graph, parameters, made)
    if not chain.blocks:
        return NOBODY
    passes = Passes(chain.graph, chain.watched)
    values = passes.forward(parameters, batch)
    seeds = {loss: jnp.ones_like(values[loss])}
    arrival = Arrival(chain, passes, values, seeds)
    found = blame(arrival, block_factors(arrival, math.inf), kind_factors(arrival))
    if found.kind:
        return found
    # A recurrence hands its last input's gradient on in full: what is lost is lost between its steps.
    states = passes.backward(values, seeds).states
    return blame_over_time(
        {
            block.name: over_time([state for number in block.recurrences for state in states.get(number, ())])
            for block in chain.blocks
        }
    )


def blame_over_time(steps: Mapping[str, tuple[float, ...]]) -> Blame:
    """The recurrence in which the gradient is lost between the last step and the first, or grows; or nobody.

    Args:
        steps: For each block what `over_time` gives; empty for one without recurrences.
    """
    ratios = {name: quotient(norms[0], norms[-1]) for name, norms in steps.items() if norms}
    worst = max(ratios, key=lambda name: _distance(ratios[name]), default="")
    if not worst or FADED <= ratios[worst] <= GROWN:
        return NOBODY
    return Blame(worst, OVER_TIME, max(ratios[worst], quotient(1.0, ratios[worst])))


def _distance(ratio: float) -> float:
    return abs(math.log(ratio)) if 0 < ratio < math.inf else math.inf
