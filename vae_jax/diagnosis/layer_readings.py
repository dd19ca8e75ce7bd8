"""A model's hidden values and the gradient that reaches them, read without touching the model."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vae_jax.diagnosis.chain import Chain, Step
from vae_jax.diagnosis.graph import Rewrite, ThroughTime
from vae_jax.layers.slope import relative_slope


class LayerReadings(NamedTuple):
    """One pass and its gradients.

    Attributes:
        result: The model's own result.
        loss: Its loss.
        parameter_gradient: dL/d(parameters), in their tree.
        hidden: h of each block, in the order of the signal.
        hidden_gradient: dL/dh of each block.
        state_gradient: For each block with recurrences, dL/d(state) after each step, for each of its states, with an
            axis of steps in front, the first that is run first; empty for the others.
        slopes: The `relative_slope` of each step that is an activation, keyed by its place in `Chain.steps`.
    """

    result: Any
    loss: Float[Array, ""]
    parameter_gradient: Any
    hidden: tuple[Array, ...]
    hidden_gradient: tuple[Array, ...]
    state_gradient: tuple[tuple[Array, ...], ...]
    slopes: dict[int, Array]


def read_layers(chain: Chain, loss: Callable[[Any], Float[Array, ""]], parameters: Any, batch: Any) -> LayerReadings:
    """Run the model once with a zero added to every layer, and differentiate with respect to those. Pure.

    Args:
        chain: The model's blocks.
        loss: From the model's result to a number.
        parameters: The model's.
        batch: Its input.
    """
    graph = chain.graph
    scans = {operation.outputs[0]: operation.recurrent for operation in graph.operations if operation.recurrent}
    watched = [number for block in chain.blocks for number in block.recurrences]
    taps = [_zeros(graph.shapes[block.after]) for block in chain.blocks]
    state_taps = {
        number: tuple(
            _zeros(jax.ShapeDtypeStruct((scans[number].steps, *state.shape), state.dtype))
            if jnp.issubdtype(state.dtype, jnp.floating)
            else None
            for state in scans[number].states
        )
        for number in watched
    }

    def tapped(parameters: Any, taps: list[Array], state_taps: dict[int, Any]) -> tuple[Float[Array, ""], Any]:
        rewrites = {block.after: _plus(block.after, tap) for block, tap in zip(chain.blocks, taps, strict=True)}
        time = {number: ThroughTime(taps) for number, taps in state_taps.items()}
        result, values = graph.evaluate(parameters, batch, rewrites, time)
        return loss(result), (result, values)

    differentiate = jax.value_and_grad(tapped, (0, 1, 2), has_aux=True)
    (value, (result, values)), gradients = differentiate(parameters, taps, state_taps)
    parameter_gradient, hidden_gradient, by_scan = gradients
    return LayerReadings(
        result=result,
        loss=value,
        parameter_gradient=parameter_gradient,
        hidden=tuple(values[block.after] for block in chain.blocks),
        hidden_gradient=tuple(hidden_gradient),
        state_gradient=tuple(
            tuple(
                gradient[::-1] if scans[number].backwards else gradient
                for number in block.recurrences
                for gradient in by_scan[number]
                if gradient is not None
            )
            for block in chain.blocks
        ),
        slopes={
            index: _slope(chain, step, values)
            for index, step in enumerate(chain.steps)
            if step.kind == "activation" and graph.shapes[step.before].shape == graph.shapes[step.core].shape
        },
    )


def _slope(chain: Chain, step: Step, values: dict[int, Any]) -> Array:
    """How steep a step was, entry by entry: exact for what acts on each entry alone."""

    def activation(z: Array) -> Array:
        own = {**values, step.before: z}
        for operation in chain.graph.operations:
            if any(number in needed for number in operation.outputs):
                own |= zip(operation.outputs, operation.apply([own[n] for n in operation.inputs]), strict=True)
        return own[step.core]

    needed = chain.within(step.before, step.core)
    return relative_slope(activation, values[step.before], of_each_entry=True)


def _plus(number: int, tap: Array) -> Rewrite:
    return lambda values: values[number] + tap


def _zeros(shape: Any) -> Array:
    return jnp.zeros(shape.shape, shape.dtype)
