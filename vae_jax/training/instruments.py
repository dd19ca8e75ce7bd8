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
from jaxtyping import Array, Float

from vae_jax.layers.slope import FLAT_SLOPE
from vae_jax.models.vae import TOWERS
from vae_jax.objective.bound import LossParts

# As many as leave a batch of 128 enough examples in each.
_MICROBATCHES = 8

Layers = Float[Array, " layers"]
HiddenLayers = Float[Array, "layers batch width"]
Reading = dict[str, Layers] | Float[Array, ""]


class StepView(NamedTuple):
    """One training step, as an instrument sees it.

    Attributes:
        loss_parts: The bound's parts on this minibatch.
        hidden: For each tower, every hidden layer's output, "layers batch width"; layer 0 is the input layer.
        slope: For each tower, |phi'| where each of those was activated, as a share of phi's largest; same shape.
        hidden_gradient: For each tower, the gradient of every example's own loss with respect to the outputs, same
            shape.
        reconstruction_gradient: The part of it that comes from the reconstruction.
        kl_gradient: The part of it that comes from the KL term, of the encoder: the decoder has none.
        parameters: The parameters before the step, as a nested mapping; `kernels` finds a tower's matrices in it.
        gradient: The loss's gradient, like `parameters`.
        update: What the optimizer adds to the parameters in this step, like `parameters`.
    """

    loss_parts: LossParts
    hidden: dict[str, HiddenLayers]
    slope: dict[str, HiddenLayers]
    hidden_gradient: dict[str, HiddenLayers]
    reconstruction_gradient: dict[str, HiddenLayers]
    kl_gradient: dict[str, HiddenLayers]
    parameters: Any
    gradient: Any
    update: Any


@dataclass(frozen=True)
class Instrument:
    """A named measurement; its docstring's first line says what it is."""

    name: str
    description: str
    measure: Callable[[StepView], Reading]

    def read(self, view: StepView) -> Reading:
        """The instrument's reading of a step.

        Raises:
            ValueError: It is neither a number nor one number per hidden layer or matrix of each tower, or it raises.
        """
        code = getattr(self.measure, "__code__", None)
        where = f"instrument {self.name!r}" + (f" in {code.co_filename}, line {code.co_firstlineno}," if code else "")
        try:
            reading = self.measure(view)
        except Exception as error:
            said = str(error).strip().partition("\n")[0]
            raise ValueError(f"{where} raised {type(error).__name__}: {said}; mend it there") from error
        by_tower = isinstance(reading, dict)
        values = list(reading.values()) if by_tower else [reading]
        numbers = all(isinstance(value, int | float | np.generic | np.ndarray | jax.Array) for value in values)
        named = not by_tower or (values and set(reading) <= set(TOWERS))
        if not (named and numbers and all(jnp.ndim(value) == by_tower for value in values)):
            shapes = jax.tree.map(lambda value: getattr(value, "shape", type(value).__name__), reading)
            raise ValueError(
                f"{where} gave {shapes}: return a number, or for each tower's name, {' and '.join(TOWERS)}, one number "
                "per layer"
            )
        return jax.tree.map(jnp.asarray, reading)


def instrument(function: Callable[[StepView], Reading]) -> Instrument:
    """Make an instrument of a function from a view to a number, or to one number per layer of each tower."""
    description = (function.__doc__ or "").strip().split("\n")[0]
    if not description:
        raise ValueError(
            f"instrument {function.__name__} needs a docstring: its first line is shown beside its figures"
        )
    return Instrument(function.__name__, description, function)


def kernels(tree: Any, tower: str) -> list[Any]:
    """A tower's own matrices, "inputs outputs", in order: input layer (of a cell every gate's two), blocks, head."""
    layers = tree[tower]
    if "cell" in layers:
        gates = layers["cell"]["gates"].values()
        own = [matrix for gate in gates for matrix in (gate["unit"]["dense"]["kernel"], gate["recurrent"])]
        return [*own, layers["head"]["kernel"]]
    return [*(unit["dense"]["kernel"] for unit in units(layers)), layers["head"]["kernel"]]


def units(layers: Any) -> list[Any]:
    """A dense tower's own units, in order: the input layer's, and those of its blocks, where it has any."""
    return [layers["input"], *(block["unit"] for block in layers.get("blocks", {}).values())]


@instrument
def negative_elbo(view: StepView) -> Reading:
    """-ELBO of the minibatch at KL weight 1, in nats per example."""
    return view.loss_parts.negative_elbo


@instrument
def reconstruction(view: StepView) -> Reading:
    """Minus the reconstruction log-likelihood of the minibatch, in nats per example."""
    return view.loss_parts.reconstruction


@instrument
def kl_nats(view: StepView) -> Reading:
    """KL divergence of the posterior from the prior on the minibatch, in nats per example."""
    return view.loss_parts.kl_nats


@instrument
def hidden_gradient(view: StepView) -> Reading:
    """Root mean square of dL/dh over examples and units, after each hidden layer: the backward signal."""
    return _by_tower(_rms, view.hidden_gradient)


@instrument
def weight_gradient(view: StepView) -> Reading:
    """Root mean square of dL/dW of each layer's matrix; flat where signal and gradient vanish together."""
    return _over_kernels(view.gradient)


@instrument
def relative_update(view: StepView) -> Reading:
    """|dW| / |W| of this step, for each layer's matrix: how fast a layer learns."""
    updates, weights = _over_kernels(view.update), _over_kernels(view.parameters)
    return {tower: updates[tower] / jnp.maximum(weights[tower], 1e-30) for tower in TOWERS}


@instrument
def mean_square(view: StepView) -> Reading:
    """q: mean square of each hidden layer over examples and units: the forward signal."""
    return _by_tower(lambda h: jnp.mean(h**2, axis=(1, 2)), view.hidden)


@instrument
def mean_cosine(view: StepView) -> Reading:
    """c: mean cosine between two examples in each hidden layer; at 1 the layer tells no two apart."""
    return _by_tower(jax.vmap(_mean_cosine), view.hidden)


@instrument
def reconstruction_gradient(view: StepView) -> Reading:
    """Root mean square of dL/dh that comes from the reconstruction: what teaches the encoder to tell examples apart."""
    return _by_tower(_rms, view.reconstruction_gradient)


@instrument
def kl_gradient(view: StepView) -> Reading:
    """Root mean square of dL/dh that comes from the KL term: what pulls every posterior onto the prior."""
    return _by_tower(_rms, view.kl_gradient)


@instrument
def gradient_to_noise(view: StepView) -> Reading:
    """Gradient of a bias after each layer, over 8 microbatches: |mean| over its standard error; at 1 it is noise."""
    return _by_tower(jax.vmap(_signal_to_noise), view.hidden_gradient)


@instrument
def zero_gradients(view: StepView) -> Reading:
    """Count of entries of dL/dh that are exactly 0: what has underflowed, or was cut off."""
    return _by_tower(lambda gradient: jnp.sum(gradient == 0, axis=(1, 2)).astype(jnp.float32), view.hidden_gradient)


@instrument
def saturated(view: StepView) -> Reading:
    """Share of (example, unit) where phi' is below 5 % of its largest; half, for ReLU, is its nature."""
    return _by_tower(lambda slope: jnp.mean(_flat(slope), axis=(1, 2)), view.slope)


@instrument
def dead(view: StepView) -> Reading:
    """Share of units whose phi' is below 5 % of its largest for every example of the batch."""
    return _by_tower(lambda slope: jnp.mean(jnp.min(_flat(slope), axis=1), axis=1), view.slope)


INSTRUMENTS = (
    negative_elbo,
    reconstruction,
    kl_nats,
    hidden_gradient,
    weight_gradient,
    relative_update,
    mean_square,
    mean_cosine,
    reconstruction_gradient,
    kl_gradient,
    gradient_to_noise,
    zero_gradients,
    saturated,
    dead,
)


def _by_tower(measure: Callable[[HiddenLayers], Layers], towers: dict[str, HiddenLayers]) -> dict[str, Layers]:
    """A measurement of each tower; of both at once where they are of one shape, which takes half as long to compile."""
    if len({layers.shape for layers in towers.values()}) > 1:
        return {tower: measure(layers) for tower, layers in towers.items()}
    return dict(zip(towers, jax.vmap(measure)(jnp.stack(list(towers.values()))), strict=True))


def _over_kernels(tree: Any) -> dict[str, Layers]:
    """Root mean square of each matrix; those of one shape at once, since each reduction by itself takes its time to
    compile.
    """
    matrices = [(tower, kernel) for tower in TOWERS for kernel in kernels(tree, tower)]
    found: dict[int, Float[Array, ""]] = {}
    for shape in dict.fromkeys(kernel.shape for _, kernel in matrices):
        same = [index for index, (_, kernel) in enumerate(matrices) if kernel.shape == shape]
        found |= dict(zip(same, _rms(jnp.stack([matrices[index][1] for index in same])), strict=True))
    return {tower: jnp.stack([found[i] for i, (own, _) in enumerate(matrices) if own == tower]) for tower in TOWERS}


def _rms(layers: Float[Array, "layers rows columns"]) -> Layers:
    # Scaled by its largest entry first: the squares of gradients below 1e-19 underflow in float32, and a vanished
    # gradient is what this is here to see.
    scale = jnp.maximum(jnp.max(jnp.abs(layers), axis=(1, 2)), jnp.finfo(layers.dtype).tiny)
    return scale * jnp.sqrt(jnp.mean((layers / scale[:, None, None]) ** 2, axis=(1, 2)))


def _flat(slope: HiddenLayers) -> HiddenLayers:
    return (slope < FLAT_SLOPE).astype(slope.dtype)


def _signal_to_noise(gradient: Float[Array, "batch width"]) -> Float[Array, ""]:
    parts = min(_MICROBATCHES, gradient.shape[0])
    size = gradient.shape[0] // parts
    scale = jnp.maximum(jnp.max(jnp.abs(gradient)), jnp.finfo(gradient.dtype).tiny)
    means = jnp.mean((gradient[: parts * size] / scale).reshape(parts, size, -1), axis=1)
    # The variance of the mean over all parts; where nothing differs, nothing is noise.
    noise = jnp.sum(jnp.var(means, axis=0, ddof=1)) / parts
    return jnp.sqrt(jnp.sum(jnp.mean(means, axis=0) ** 2) / jnp.maximum(noise, jnp.finfo(gradient.dtype).tiny))


def _mean_cosine(h: Float[Array, "batch width"]) -> Float[Array, ""]:
    # The sum of all pairs' cosines is the squared length of the sum of unit vectors.
    batch = h.shape[0]
    unit = h / jnp.maximum(jnp.linalg.norm(h, axis=1, keepdims=True), 1e-30)
    return (jnp.sum(jnp.sum(unit, axis=0) ** 2) - batch) / (batch * (batch - 1))
