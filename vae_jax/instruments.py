"""What is measured inside a training step: each instrument is one function of the step's view.

The view is made by a pass of its own before every recorded step, from the same parameters, batch and noise as that
step: watching cannot change what is watched.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vae_jax.vae import TOWERS

Layers = Float[Array, " layers"]
Reading = dict[str, Layers] | Float[Array, ""]


class Terms(NamedTuple):
    """The bound's parts on one minibatch at KL weight 1, in nats."""

    negative_elbo: Float[Array, ""]
    reconstruction: Float[Array, ""]
    kl_nats: Float[Array, ""]


class StepView(NamedTuple):
    """One training step, as an instrument sees it.

    Attributes:
        terms: The bound's parts on this minibatch.
        hidden: For each tower, every hidden layer's output, "depth batch width"; layer 0 is the input layer.
        hidden_gradient: For each tower, the gradient of every example's own loss with respect to those, same shape.
        parameters: The parameters before the step, as a nested mapping; `kernels` finds a tower's matrices in it.
        gradient: The loss's gradient, like `parameters`.
        update: What the optimizer adds to the parameters in this step, like `parameters`.
    """

    terms: Terms
    hidden: dict[str, Float[Array, "depth batch width"]]
    hidden_gradient: dict[str, Float[Array, "depth batch width"]]
    parameters: Any
    gradient: Any
    update: Any


@dataclass(frozen=True)
class Instrument:
    """A named measurement; its docstring's first line says what it is."""

    name: str
    description: str
    measure: Callable[[StepView], Reading]


def instrument(function: Callable[[StepView], Reading]) -> Instrument:
    """Make an instrument of a function from a view to a number, or to one number per layer of each tower."""
    description = (function.__doc__ or "").strip().split("\n")[0]
    if not description:
        raise ValueError(
            f"instrument {function.__name__} needs a docstring: its first line is shown beside its figures"
        )
    return Instrument(function.__name__, description, function)


def kernels(tree: Any, tower: str) -> list[Any]:
    """A tower's own matrices, "inputs outputs", in order: input layer, blocks, head."""
    layers = tree[tower]
    blocks = layers["blocks"]
    return [layer["kernel"] for layer in (layers["input"], *(blocks[i]["dense"] for i in blocks), layers["head"])]


@instrument
def negative_elbo(view: StepView) -> Reading:
    """-ELBO of the minibatch at KL weight 1, in nats per example."""
    return view.terms.negative_elbo


@instrument
def reconstruction(view: StepView) -> Reading:
    """Minus the reconstruction log-likelihood of the minibatch, in nats per example."""
    return view.terms.reconstruction


@instrument
def kl_nats(view: StepView) -> Reading:
    """KL divergence of the posterior from the prior on the minibatch, in nats per example."""
    return view.terms.kl_nats


@instrument
def hidden_gradient(view: StepView) -> Reading:
    """Root mean square of dL/dh over examples and units, after each hidden layer: the backward signal."""
    return {tower: _rms(view.hidden_gradient[tower]) for tower in TOWERS}


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
    return {tower: jnp.mean(view.hidden[tower] ** 2, axis=(1, 2)) for tower in TOWERS}


@instrument
def mean_cosine(view: StepView) -> Reading:
    """c: mean cosine between two examples in each hidden layer; at 1 the layer tells no two apart."""
    return {tower: jax.vmap(_mean_cosine)(view.hidden[tower]) for tower in TOWERS}


INSTRUMENTS = (
    negative_elbo,
    reconstruction,
    kl_nats,
    hidden_gradient,
    weight_gradient,
    relative_update,
    mean_square,
    mean_cosine,
)


def _over_kernels(tree: Any) -> dict[str, Layers]:
    return {tower: jnp.stack([_rms(kernel[None])[0] for kernel in kernels(tree, tower)]) for tower in TOWERS}


def _rms(layers: Float[Array, "layers rows columns"]) -> Layers:
    # Scaled by its largest entry first: the squares of gradients below 1e-19 underflow in float32, and a vanished
    # gradient is what this is here to see.
    scale = jnp.maximum(jnp.max(jnp.abs(layers), axis=(1, 2)), jnp.finfo(layers.dtype).tiny)
    return scale * jnp.sqrt(jnp.mean((layers / scale[:, None, None]) ** 2, axis=(1, 2)))


def _mean_cosine(h: Float[Array, "batch width"]) -> Float[Array, ""]:
    # The sum of all pairs' cosines is the squared length of the sum of unit vectors.
    batch = h.shape[0]
    unit = h / jnp.maximum(jnp.linalg.norm(h, axis=1, keepdims=True), 1e-30)
    return (jnp.sum(jnp.sum(unit, axis=0) ** 2) - batch) / (batch * (batch - 1))
