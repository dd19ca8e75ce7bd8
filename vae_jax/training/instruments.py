"""Measurements inside a training step: each instrument is one function of the step's view.

Of a recorded step the gradient and the update are its own; the rest of the view comes from a pass of its own before it,
with the same parameters, batch and noise: watching cannot change what is watched.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from vae_jax.layers.slope import FLAT_SLOPE
from vae_jax.objective.bound import LossParts

# As many as leave a batch of 128 enough examples in each.
_MICROBATCHES = 8


class Absent:
    """The type of `ABSENT`."""


ABSENT = Absent()
"""The reading of an instrument where a model has not what it measures: nothing is recorded, and no zero."""

Layers = Float[Array, " _layers"]
HiddenLayers = Float[Array, "_layers batch ..."]
Stacks = dict[str, tuple[HiddenLayers, ...]]
Counted = Bool[Array, "_layers batch"] | None
Counts = dict[str, tuple[Counted, ...]]
Kernels = dict[str, list[Float[Array, "_inputs _outputs"]]]
Reading = dict[str, Layers] | Float[Array, ""] | Absent


class StepView(NamedTuple):
    """One training step, as an instrument sees it.

    Attributes:
        reads_data: The name of the stack that reads the data.
        loss_parts: The score's parts on this minibatch.
        hidden: For each stack its hidden layers' outputs, in runs of layers of one shape, "layers batch ..."; layer 0
            is the one that reads the stack's input.
        slope: |phi'| where each of those was activated, as a share of phi's largest; same shapes.
        hidden_gradient: The gradient of every example's own loss with respect to the outputs; same shapes.
        reconstruction_gradient: The part of it that comes from the reconstruction.
        kl_gradient: The part of it that comes from the KL term, of the stacks that stand before z; no other has any.
        counts: For each run of hidden layers which examples have such a layer, "layers batch", as sequences of unequal
            length have steps; None where all have. What others have there is no layer's, and no reading counts it.
        parameters: The parameters before the step, as a nested mapping.
        gradient: The loss's gradient, like `parameters`.
        update: What the optimizer adds to the parameters in this step, like `parameters`.
        kernels: For each stack its matrices, "inputs outputs", in the order of the signal.
        kernel_gradient: The loss's gradient with respect to them.
        kernel_update: What the optimizer adds to them.
    """

    reads_data: str
    loss_parts: LossParts
    hidden: Stacks
    slope: Stacks
    hidden_gradient: Stacks
    reconstruction_gradient: Stacks
    kl_gradient: Stacks
    counts: Counts
    parameters: Any
    gradient: Any
    update: Any
    kernels: Kernels
    kernel_gradient: Kernels
    kernel_update: Kernels


@dataclass(frozen=True)
class Instrument:
    """A named measurement; its docstring's first line says what it is."""

    name: str
    description: str
    measure: Callable[[StepView], Reading]

    def read(self, view: StepView) -> Reading:
        """The instrument's reading of a step; `ABSENT` where a model has not what it measures.

        Raises:
            ValueError: It is neither a number nor one number per hidden layer or matrix of each stack, or it raises.
        """
        code = getattr(self.measure, "__code__", None)
        where = f"instrument {self.name!r}" + (f" in {code.co_filename}, line {code.co_firstlineno}," if code else "")
        try:
            reading = self.measure(view)
        except Exception as error:
            said = str(error).strip().partition("\n")[0]
            raise ValueError(f"{where} raised {type(error).__name__}: {said}; mend it there") from error
        if isinstance(reading, Absent):
            return reading
        per_stack = isinstance(reading, dict)
        values = list(reading.values()) if per_stack else [reading]
        numbers = all(isinstance(value, int | float | np.generic | np.ndarray | jax.Array) for value in values)
        named = not per_stack or (values and reading.keys() <= view.hidden.keys())
        if not (named and numbers and all(jnp.ndim(value) == per_stack for value in values)):
            shapes = jax.tree.map(lambda value: getattr(value, "shape", type(value).__name__), reading)
            raise ValueError(
                f"{where} gave {shapes}: return a number, or for each stack's name, {' and '.join(view.hidden)}, one "
                "number per layer"
            )
        return jax.tree.map(jnp.asarray, reading)


def instrument(function: Callable[[StepView], Reading]) -> Instrument:
    """Make an instrument of a function from a view to a number, or to one number per layer of each stack."""
    description = (function.__doc__ or "").strip().split("\n")[0]
    if not description:
        raise ValueError(
            f"instrument {function.__name__} needs a docstring: its first line is shown beside its figures"
        )
    return Instrument(function.__name__, description, function)


@instrument
def score(view: StepView) -> Reading:
    """The workload's score of the minibatch, at KL weight 1: -ELBO where there is a z, else the reconstruction."""
    return view.loss_parts.score


@instrument
def reconstruction(view: StepView) -> Reading:
    """Minus the reconstruction log-likelihood of the minibatch, per example."""
    return view.loss_parts.reconstruction


@instrument
def kl_nats(view: StepView) -> Reading:
    """KL divergence of the posterior from the prior on the minibatch, in nats per example."""
    return ABSENT if view.loss_parts.kl_nats is None else view.loss_parts.kl_nats


@instrument
def hidden_gradient(view: StepView) -> Reading:
    """Root mean square of dL/dh over examples and units, after each hidden layer: the backward signal."""
    return by_stack(_rms, view.hidden_gradient, view.counts)


@instrument
def weight_gradient(view: StepView) -> Reading:
    """Root mean square of dL/dW of each layer's matrix; flat where signal and gradient vanish together."""
    return _over_kernels(view.kernel_gradient)


@instrument
def relative_update(view: StepView) -> Reading:
    """|dW| / |W| of this step, for each layer's matrix: how fast a layer learns."""
    updates, weights = _over_kernels(view.kernel_update), _over_kernels(view.kernels)
    return {stack: updates[stack] / jnp.maximum(weights[stack], 1e-30) for stack in weights}


@instrument
def mean_square(view: StepView) -> Reading:
    """q: mean square of each hidden layer over examples and units: the forward signal."""
    return by_stack(lambda h, counted=None: _mean(h**2, counted), view.hidden, view.counts)


@instrument
def mean_cosine(view: StepView) -> Reading:
    """c: mean cosine between two examples in each hidden layer; at 1 the layer tells no two apart."""
    return by_stack(_mean_cosines, view.hidden, view.counts)


@instrument
def effective_rank(view: StepView) -> Reading:
    """Along how many directions examples differ in the last hidden layer that reads the data: (tr C)^2 / tr C^2.

    C is their covariance. One over it is the mean square cosine between two examples' deviations from their mean, each
    weighed by its length: c after what all have in common is taken away (the mean of those cosines is -1 / (batch - 1)
    whatever the layer).
    """
    hidden, counted = view.hidden[view.reads_data][-1], view.counts[view.reads_data][-1]
    if counted is None:
        return _effective_rank(hidden[-1])
    # The last step that two examples of this batch have: of one there is nothing that it differs from.
    last = jnp.maximum(jnp.sum(jnp.sum(counted, axis=1) > 1) - 1, 0)
    return _effective_rank(hidden[last], counted[last])


@instrument
def shared_gradient(view: StepView) -> Reading:
    """Share of the mean square of dL/dh that is the same for all examples, after each layer; of noise, 1 / batch."""

    def measure(gradient: HiddenLayers, counted: Counted = None) -> Layers:
        own = entries(gradient)
        scale = jnp.maximum(jnp.max(jnp.abs(gradient), axis=own, keepdims=True), jnp.finfo(gradient.dtype).tiny)
        gradient = gradient / scale
        where = None if counted is None else _beside(counted, gradient)
        alike = jnp.mean(gradient, axis=1, keepdims=True, where=where)
        return _mean(alike**2) / jnp.maximum(_mean(gradient**2, counted), jnp.finfo(gradient.dtype).tiny)

    return by_stack(measure, view.hidden_gradient, view.counts)


@instrument
def reconstruction_gradient(view: StepView) -> Reading:
    """Root mean square of dL/dh that comes from the reconstruction: what teaches the encoder to tell examples apart."""
    return by_stack(_rms, view.reconstruction_gradient, view.counts)


@instrument
def kl_gradient(view: StepView) -> Reading:
    """Root mean square of dL/dh that comes from the KL term: what pulls every posterior onto the prior."""
    return by_stack(_rms, view.kl_gradient, view.counts) or ABSENT


@instrument
def gradient_to_noise(view: StepView) -> Reading:
    """Gradient of a bias after each layer, over 8 microbatches: |mean| over its standard error; at 1 it is noise."""

    def measure(gradient: HiddenLayers, counted: Counted = None) -> Layers:
        # Of an example that has no such layer the gradient is 0, as it is of the bias.
        return jax.vmap(_signal_to_noise)(gradient)

    return by_stack(measure, view.hidden_gradient, view.counts)


@instrument
def zero_gradients(view: StepView) -> Reading:
    """Count of entries of dL/dh that are exactly 0: what has underflowed, or was cut off."""

    def measure(gradient: HiddenLayers, counted: Counted = None) -> Layers:
        zero = gradient == 0 if counted is None else (gradient == 0) & _beside(counted, gradient)
        return jnp.sum(zero, axis=entries(gradient)).astype(jnp.float32)

    return by_stack(measure, view.hidden_gradient, view.counts)


@instrument
def saturated(view: StepView) -> Reading:
    """Share of (example, unit) where phi' is below 5 % of its largest; half, for ReLU, is its nature."""
    return by_stack(lambda slope, counted=None: _mean(_flat(slope), counted), view.slope, view.counts)


@instrument
def dead(view: StepView) -> Reading:
    """Share of units whose phi' is below 5 % of its largest for every example of the batch."""

    def measure(slope: HiddenLayers, counted: Counted = None) -> Layers:
        flat = _flat(slope) if counted is None else jnp.where(_beside(counted, slope), _flat(slope), 1.0)
        return jnp.mean(jnp.min(flat, axis=1), axis=tuple(range(1, slope.ndim - 1)))

    return by_stack(measure, view.slope, view.counts)


INSTRUMENTS = (
    score,
    reconstruction,
    kl_nats,
    hidden_gradient,
    weight_gradient,
    relative_update,
    mean_square,
    mean_cosine,
    effective_rank,
    shared_gradient,
    reconstruction_gradient,
    kl_gradient,
    gradient_to_noise,
    zero_gradients,
    saturated,
    dead,
)


def by_stack(measure: Callable[..., Layers], stacks: Stacks, counts: Counts | None = None) -> dict[str, Layers]:
    """A measurement of every layer of each stack.

    Of all runs at once where they are of one shape, which compiles in half the time.

    Args:
        measure: From a run of layers to a number for each; `entries` are the axes of all that is of one layer. Where
            some examples have not every layer it is given as well which of them have each, "layers batch".
        stacks: As a `StepView` has them.
        counts: As a `StepView` has them. A layer that no example has reads as not a number.
    """
    runs = [(run,) for own in stacks.values() for run in own]
    masks = [mask for stack in stacks for mask in counts[stack]] if counts else []
    if any(mask is not None for mask in masks):
        whole = [
            jnp.ones(run.shape[:2], bool) if mask is None else mask for (run,), mask in zip(runs, masks, strict=True)
        ]
        runs = [(run, mask) for (run,), mask in zip(runs, whole, strict=True)]

    def measured_there(run: HiddenLayers, *mask: Array) -> Layers:
        read = measure(run, *mask)
        return jnp.where(mask[0].any(axis=1), read, jnp.nan) if mask else read

    if len({run.shape for run, *_ in runs}) == 1:
        measured = iter(jax.vmap(measured_there)(*map(jnp.stack, zip(*runs, strict=True))))
    else:
        measured = iter([measured_there(*run) for run in runs])
    found = {stack: [next(measured) for _ in own] for stack, own in stacks.items()}
    return {stack: own[0] if len(own) == 1 else jnp.concatenate(own) for stack, own in found.items()}


def _over_kernels(kernels: Kernels) -> dict[str, Layers]:
    """Root mean square of each matrix; those of one shape at once, since each reduction by itself takes its time to
    compile.
    """
    matrices = [(stack, kernel) for stack, own in kernels.items() for kernel in own]
    found: dict[int, Float[Array, ""]] = {}
    for shape in dict.fromkeys(kernel.shape for _, kernel in matrices):
        same = [index for index, (_, kernel) in enumerate(matrices) if kernel.shape == shape]
        found |= dict(zip(same, _rms(jnp.stack([matrices[index][1] for index in same])), strict=True))
    return {stack: jnp.stack([found[i] for i, (own, _) in enumerate(matrices) if own == stack]) for stack in kernels}


def entries(layers: Float[Array, "_layers ..."]) -> tuple[int, ...]:
    """The axes of all that is of one layer."""
    return tuple(range(1, layers.ndim))


def _beside(counted: Bool[Array, "_layers batch"], layers: HiddenLayers) -> Bool[Array, "_layers batch ..."]:
    return counted.reshape(*counted.shape, *[1] * (layers.ndim - 2))


def _mean(layers: Float[Array, "_layers ..."], counted: Counted = None) -> Layers:
    return jnp.mean(layers, axis=entries(layers), where=None if counted is None else _beside(counted, layers))


def _rms(layers: Float[Array, "_layers ..."], counted: Counted = None) -> Layers:
    # Scaled by its largest entry first: the squares of gradients below 1e-19 underflow in float32, and a vanished
    # gradient is what this is here to see.
    own = entries(layers)
    scale = jnp.maximum(jnp.max(jnp.abs(layers), axis=own, keepdims=True), jnp.finfo(layers.dtype).tiny)
    return jnp.squeeze(scale, own) * jnp.sqrt(_mean((layers / scale) ** 2, counted))


def _flat(slope: HiddenLayers) -> HiddenLayers:
    return (slope < FLAT_SLOPE).astype(slope.dtype)


def _signal_to_noise(gradient: Float[Array, "batch ..."]) -> Float[Array, ""]:
    parts = min(_MICROBATCHES, gradient.shape[0])
    size = gradient.shape[0] // parts
    scale = jnp.maximum(jnp.max(jnp.abs(gradient)), jnp.finfo(gradient.dtype).tiny)
    means = jnp.mean((gradient[: parts * size] / scale).reshape(parts, size, -1), axis=1)
    # The variance of the mean over all parts; where nothing differs, nothing is noise.
    noise = jnp.sum(jnp.var(means, axis=0, ddof=1)) / parts
    return jnp.sqrt(jnp.sum(jnp.mean(means, axis=0) ** 2) / jnp.maximum(noise, jnp.finfo(gradient.dtype).tiny))


def _mean_cosines(layers: HiddenLayers, counted: Counted = None) -> Layers:
    return jax.vmap(_mean_cosine)(layers) if counted is None else jax.vmap(_mean_cosine)(layers, counted)


def _mean_cosine(h: Float[Array, "batch ..."], counted: Bool[Array, " batch"] | None = None) -> Float[Array, ""]:
    h = h.reshape(len(h), -1)
    # The sum of all pairs' cosines is the squared length of the sum of unit vectors.
    batch = h.shape[0] if counted is None else jnp.sum(counted, dtype=h.dtype)
    unit = h / jnp.maximum(jnp.linalg.norm(h, axis=1, keepdims=True), 1e-30)
    unit = unit if counted is None else unit * counted[:, None].astype(h.dtype)
    # Of one example there is no pair, and a rounding over 0 would be infinite.
    return jnp.where(batch > 1, (jnp.sum(jnp.sum(unit, axis=0) ** 2) - batch) / (batch * (batch - 1)), jnp.nan)


def _effective_rank(h: Float[Array, "batch ..."], counted: Bool[Array, " batch"] | None = None) -> Float[Array, ""]:
    h = h.reshape(len(h), -1)
    where = None if counted is None else counted[:, None]
    apart = h - jnp.mean(h, axis=0, keepdims=True, where=where)
    apart = apart if where is None else jnp.where(where, apart, 0.0)
    scale = jnp.max(jnp.abs(apart))
    apart = apart / jnp.maximum(scale, jnp.finfo(h.dtype).tiny)
    # The products of examples and those of units have the same eigenvalues: whichever are fewer.
    products = apart.T @ apart if h.shape[0] > h.shape[1] else apart @ apart.T
    # Where no example differs from another there is no direction.
    return jnp.trace(products) ** 2 / jnp.maximum(jnp.sum(products**2), jnp.finfo(h.dtype).tiny)
