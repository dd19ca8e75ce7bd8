"""Which of a model's values are mean, log_var, z and reconstruction: by the loss's gradients, or by a person's marks.

A mark is `jax.ad_checkpoint.checkpoint_name(value, name)`, which changes nothing in the program that it stands in.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from vae_jax.diagnosis.bound.likelihood import Likelihood, recognise
from vae_jax.diagnosis.tracing.graph import Graph
from vae_jax.diagnosis.tracing.passes import Passes, Value

_FITS = 2e-2


class Scale(NamedTuple):
    """A way to write the width of a Gaussian posterior.

    Attributes:
        name: In words.
        gradient: Of the KL divergence from the standard normal, with respect to it, by entry.
        log_var: The logarithm of the variance.
    """

    name: str
    gradient: Callable[[np.ndarray], np.ndarray]
    log_var: Callable[[np.ndarray], np.ndarray]


SCALES = (
    Scale("log_var", lambda v: 0.5 * (np.exp(v) - 1), lambda v: v),
    Scale("log standard deviation", lambda v: np.exp(2 * v) - 1, lambda v: 2 * v),
    Scale("standard deviation", lambda v: v - 1 / v, lambda v: 2 * np.log(np.abs(v))),
    Scale("variance", lambda v: 0.5 * (1 - 1 / v), lambda v: np.log(np.abs(v))),
)


class Latent(NamedTuple):
    """A Gaussian posterior and what the loss makes of its divergence from the standard normal.

    Attributes:
        name: The mark's number with a dot, as ".0"; empty where there is one latent.
        mean: The value's number.
        log_var: The number of what its width is written as.
        scale: Which of `SCALES`.
        weight: By how much one unit's divergence, of one example, is multiplied in the loss; None where the loss's
            gradient is not that of such a divergence.
        flat: Share of units whose divergence has no gradient here and has one elsewhere, as free bits have it.
        z: The number of the value that the decoder reads; None where none was found.
    """

    name: str
    mean: int
    log_var: int
    scale: Scale
    weight: float | None
    flat: float
    z: int | None


class Parts(NamedTuple):
    """What was found of a model's loss.

    Attributes:
        latents: Its posteriors.
        reconstruction: The number of the output that is compared with data, or of the model's last value.
        likelihood: What the loss makes of it; None where it is none that is known.
        outputs: By name the outputs, or the marked values, at which the loss was cut.
        direct: By number, what the loss hands to each of those, the others held.
    """

    latents: tuple[Latent, ...]
    reconstruction: int
    likelihood: Likelihood | None
    outputs: dict[str, int]
    direct: dict[int, Value]


class Held:
    """The loss as a function of some values, each held while another changes."""

    def __init__(
        self, passes: Passes, parameters: Any, batch: Any, values: Mapping[int, Value], cut: Mapping[str, int]
    ):
        self._passes, self._parameters, self._batch = passes, parameters, batch
        self.cut = dict(cut)
        self.values = {number: values[number] for number in cut.values()}
        self._loss = passes.graph.outputs[0]

    def gradient(self, changed: Mapping[int, np.ndarray] | None = None, batch: Any = None) -> dict[int, Value]:
        """The loss's gradient with respect to each value, the others held; zeros where it reads none of one.

        Args:
            changed: Other values in their place.
            batch: Another batch for the loss to read.
        """
        own = dict(self.values)
        for number, value in (changed or {}).items():
            own[number] = jnp.asarray(value, own[number].dtype)
        values = self._passes.forward(self._parameters, self._batch if batch is None else batch, own)
        seeds = {self._loss: jnp.ones_like(values[self._loss])}
        pulled = self._passes.backward(values, seeds, dict.fromkeys(own), parameters=False)
        return {number: pulled.at.get(number, jnp.zeros_like(value)) for number, value in own.items()}

    def of(self, number: int) -> Callable[[np.ndarray], np.ndarray]:
        """The gradient of one value as a function of it."""
        return lambda value: np.asarray(self.gradient({number: value})[number], np.float64)


def marks(graph: Graph) -> dict[str, int]:
    """The values that a person has marked, by the names they gave."""
    return {operation.mark: operation.outputs[0] for operation in graph.operations if operation.mark}


def find_parts(held: Held, graph: Graph, data: Mapping[str, Value], end: int) -> Parts:
    """Mean, log_var, z and reconstruction, as far as they can be told.

    Args:
        held: The loss, cut at the model's outputs or at the marked values.
        graph: The model with its loss.
        data: The batch's arrays.
        end: The number of the value in which the model's longest way ends: its output, if none is compared with data.
    """
    direct = held.gradient()
    real = {
        name: number
        for name, number in held.cut.items()
        if jnp.issubdtype(graph.shapes[number].dtype, jnp.floating) and graph.shapes[number].ndim
    }
    latents = _latents(held, real, direct)
    taken = {number for latent in latents for number in (latent.mean, latent.log_var)}
    taken |= {number for name, number in real.items() if name.split(".")[0] in ("z", "target")}
    sizes = {int(np.size(value)) for value in data.values()}
    rest = {name: number for name, number in real.items() if number not in taken}
    first = [n for name, n in rest.items() if name == "reconstruction"]
    first += [number for number in rest.values() if math.prod(graph.shapes[number].shape) in sizes]
    reconstruction, likelihood = None, None
    for number in dict.fromkeys([*first, *rest.values()]):
        likelihood = recognise(held.of(number), np.asarray(held.values[number], np.float64))
        if likelihood is not None or "reconstruction" in held.cut:
            reconstruction = number
            break
    if reconstruction is None and first:
        reconstruction = first[0]
    output = end if reconstruction is None else reconstruction
    latents = tuple(_with_z(graph, latent, held.cut, output) for latent in latents)
    return Parts(latents, output, likelihood, dict(held.cut), direct)


def _latents(held: Held, real: Mapping[str, int], direct: Mapping[int, Value]) -> tuple[Latent, ...]:
    named = [
        (name.removeprefix("mean"), real[name], real[f"log_var{name.removeprefix('mean')}"])
        for name in real
        if name.split(".")[0] == "mean" and f"log_var{name.removeprefix('mean')}" in real
    ]
    pairs = named or [
        ("", one, other)
        for one in real.values()
        for other in real.values()
        if one != other and held.values[one].shape == held.values[other].shape
    ]
    found: list[Latent] = []
    used: set[int] = set()
    for name, mean, width in pairs:
        if mean in used or width in used:
            continue
        fitted = _divergence(held, mean, width, direct)
        if fitted is not None:
            found.append(Latent(name, mean, width, *fitted, None))
        elif named:
            found.append(Latent(name, mean, width, SCALES[0], None, 0.0, None))
        else:
            continue
        used |= {mean, width}
    if len(found) > 1 and not named:
        found = [latent._replace(name=f".{place}") for place, latent in enumerate(found)]
    return tuple(found)


def _divergence(held: Held, mean: int, width: int, direct: Mapping[int, Value]) -> tuple[Scale, float, float] | None:
    """How the width is written, what a unit's divergence weighs, and the share of units where it is flat here."""
    own = {number: np.asarray(held.values[number], np.float64) for number in (mean, width)}
    draw = np.random.default_rng(1)
    # Far enough that no free bits are left, and that a mean that is 0 has a gradient.
    moved_mean = own[mean] + draw.choice([-1.0, 1.0], own[mean].shape) * draw.uniform(1.0, 2.0, own[mean].shape)
    at_mean = held.of(mean)(moved_mean)
    if not _told(at_mean) or _rms(at_mean) == 0:
        return None
    weight = float((moved_mean * at_mean).sum() / (moved_mean**2).sum())
    if weight <= 0 or _rms(at_mean - weight * moved_mean) > _FITS * _rms(at_mean):
        return None
    moved_width = own[width] + draw.uniform(0.5, 1.0, own[width].shape)
    # The mean moved as well, so that the unit's divergence is above any floor.
    at_width = np.asarray(held.gradient({mean: moved_mean, width: moved_width})[width], np.float64)
    for scale in SCALES:
        with np.errstate(all="ignore"):
            expected = weight * scale.gradient(moved_width)
        if _told(expected) and _rms(at_width - expected) <= _FITS * _rms(expected):
            axes = tuple(range(own[mean].ndim - 1))
            here = np.asarray(direct[mean], np.float64), np.asarray(direct[width], np.float64)
            with np.errstate(all="ignore"):
                should = np.abs(own[mean]) + np.abs(scale.gradient(own[width]))
            silent = ((here[0] == 0) & (here[1] == 0)).all(axis=axes) & (should > 0).any(axis=axes)
            return scale, weight, float(silent.mean())
    return None


def _with_z(graph: Graph, latent: Latent, cut: Mapping[str, int], reconstruction: int) -> Latent:
    """The latent with the value through which mean and log_var reach the reconstruction."""
    if f"z{latent.name}" in cut:
        return latent._replace(z=cut[f"z{latent.name}"])
    from_mean, from_width = _onward(graph, latent.mean), _onward(graph, latent.log_var)
    towards = _towards(graph, reconstruction)
    width = graph.shapes[latent.mean].shape[-1]
    starts = {latent.mean, latent.log_var} & (towards | {reconstruction})
    if not starts:
        return latent
    both = latent.log_var in towards
    for operation in graph.operations:
        for number in operation.outputs:
            shape = graph.shapes[number].shape
            fits = bool(shape) and shape[-1] == width and jnp.issubdtype(graph.shapes[number].dtype, jnp.floating)
            candidate = number == latent.mean if not both else number in from_mean and number in from_width
            if (
                candidate
                and fits
                and number in towards
                and not _reaches(graph, starts - {number}, reconstruction, number)
            ):
                return latent._replace(z=number)
    return latent


def _onward(graph: Graph, start: int) -> set[int]:
    found = {start}
    for operation in graph.operations:
        if not found.isdisjoint(operation.inputs):
            found.update(operation.outputs)
    return found


def _towards(graph: Graph, end: int) -> set[int]:
    found = {end}
    for operation in reversed(graph.operations):
        if not found.isdisjoint(operation.outputs):
            found.update(operation.inputs)
    return found


def _reaches(graph: Graph, starts: set[int], end: int, without: int) -> bool:
    found = set(starts)
    for operation in graph.operations:
        if not found.isdisjoint(operation.inputs):
            found.update(number for number in operation.outputs if number != without)
    return end in found


def _told(values: np.ndarray) -> bool:
    return bool(np.isfinite(values).all())


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))
