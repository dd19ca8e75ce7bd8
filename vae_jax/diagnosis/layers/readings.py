"""What is read of each layer of a traced model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vae_jax.diagnosis.layers.attribution import double
from vae_jax.diagnosis.layers.chain import Chain
from vae_jax.diagnosis.layers.example_axis import ExampleAxes
from vae_jax.diagnosis.tracing.passes import Passes, Pulled, Value
from vae_jax.diagnosis.tracing.paths import Slope
from vae_jax.layers.slope import FLAT_SLOPE


@dataclass(frozen=True)
class Layer:
    """A matrix and what follows it, or a block of several with their skip. A figure is None where it has no meaning.

    Attributes:
        name: The path of the parameters that feed its matrix.
        kind: The steps that it is made of.
        shape: Of h, its output for the whole batch.
        hidden_gradient: Root mean square of dL/dh.
        weight_gradient: Root mean square of dL/dW over its matrices.
        mean_square: q, the mean square of h.
        mean_cosine: c, the mean cosine between two examples' h; at 1 it tells no two apart.
        shared_gradient: Share of the mean square of dL/dh that is the same for all examples, beyond the 1 / batch that
            gradients of nothing in common share.
        saturated_share: Share of (example, unit) where the activation's slope is below `FLAT_SLOPE` of its largest and
            its output is not 0: what is off is sparse, what is stuck at an end is saturated.
        dead_share: Share of units that are flat for every example.
        zero_share: Share of entries of dL/dh that are exactly 0.
        backward_factor: How many times more comes back at the first layer with its backward Jacobian replaced by the
            identity; None where nobody asked, as of a gradient that arrives.
        over_time: For a recurrence, the root mean square of dL/d(state) after each step.
        block: Which of the chain's blocks it lies in; None of one beside the chain.
        whole: Whether it is its block's end, and not one of several matrices inside.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    hidden_gradient: float
    weight_gradient: float | None
    mean_square: float
    mean_cosine: float | None
    shared_gradient: float | None
    saturated_share: float | None
    dead_share: float | None
    zero_share: float
    backward_factor: float | None = None
    over_time: tuple[float, ...] = ()
    block: int | None = None
    whole: bool = True


def read_layers(
    chain: Chain, passes: Passes, values: Mapping[int, Value], pulled: Pulled, axes: ExampleAxes
) -> tuple[Layer, ...]:
    """The layers in the order of the signal: of a block of one matrix the block; of any other its matrices, then it.

    Args:
        chain: The model's blocks.
        passes: Its passes.
        values: Of the forward pass.
        pulled: Of the loss's backward pass.
        axes: Which axis is the example's.
    """

    def read(name: str, kind: str, after: int, matrices: Sequence[int], slopes: Sequence[Slope],
             recurrences: Sequence[int]) -> Layer:  # fmt: skip
        h = double(values[after])
        gradient = double(pulled.at[after]) if after in pulled.at else np.zeros_like(h)
        flat, dead = _flat(passes, slopes, values, axes)
        weights = [double(pulled.at[number]).ravel() for number in
                   (chain.graph.parameters[leaf] for leaf in matrices) if number in pulled.at]  # fmt: skip
        own, arriving = axes.rows(after, h), axes.rows(after, gradient)
        return Layer(
            name=name,
            kind=kind,
            shape=tuple(values[after].shape),
            hidden_gradient=rms(gradient),
            weight_gradient=(rms(np.concatenate(weights)) if weights else 0.0) if matrices else None,
            mean_square=float(np.mean(h**2)),
            mean_cosine=None if own is None else mean_cosine(own),
            shared_gradient=None if arriving is None else shared(arriving),
            saturated_share=flat,
            dead_share=dead,
            zero_share=float(np.mean(gradient == 0)),
            over_time=over_time([state for number in recurrences for state in pulled.states.get(number, ())]),
        )

    def of_row(row: Any) -> Layer:
        kinds = dict.fromkeys(("recurrence" if row.recurrence is not None else "matrix", *row.kinds))
        recurrences = () if row.recurrence is None else (row.recurrence,)
        return read(row.name, " + ".join(kinds), row.after, row.matrices, row.slopes, recurrences)

    layers: list[Layer] = []
    beside = [row for row in chain.rows if row.block is None]
    for index, block in enumerate(chain.blocks):
        inside = [row for row in chain.rows if row.block == index]
        kinds = " + ".join(dict.fromkeys(step.kind for step in chain.steps if step.block == index))
        if len(inside) > 1:
            layers += [replace(of_row(row), block=index, whole=False) for row in inside]
        slopes = block.slopes if len(inside) > 1 else {
            slope[:2]: slope for part in (*inside, block) for slope in part.slopes
        }.values()  # fmt: skip
        # Several may have as many lengths, and a row each.
        recurrences = block.recurrences if len(inside) < 2 else ()
        whole = read(block.name, kinds, block.after, block.matrices, tuple(slopes), recurrences)
        layers.append(replace(whole, block=index))
    return (*layers, *(replace(of_row(row), whole=False) for row in beside))


def over_time(states: Sequence[Any]) -> tuple[float, ...]:
    """Root mean square of dL/d(state) after each step, over all of a block's states; empty where there are none."""
    if not states:
        return ()
    steps = np.concatenate([double(state).reshape(len(state), -1) for state in states], axis=1)
    return tuple(np.sqrt(np.mean(steps**2, axis=1)).tolist())


def mean_cosine(rows: np.ndarray) -> float | None:
    """The mean cosine between two rows; None where they are no numbers."""
    if not np.isfinite(rows).all():
        return None
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-300)
    # The sum of all pairs' cosines is the squared length of the sum of unit vectors.
    return float((np.sum(unit.sum(axis=0) ** 2) - np.sum(unit**2)) / (len(rows) * (len(rows) - 1)))


def shared(rows: np.ndarray) -> float | None:
    """The share of a mean square that is the same for all rows, beyond 1 / rows; None where they are no numbers."""
    square = float(np.mean(rows**2))
    if not np.isfinite(square):
        return None
    share = float(np.mean(rows.mean(axis=0) ** 2)) / square if square else 0.0
    return max(0.0, (len(rows) * share - 1) / (len(rows) - 1))


def rms(values: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(values**2)))


def _flat(
    passes: Passes, slopes: Sequence[Slope], values: Mapping[int, Value], axes: ExampleAxes
) -> tuple[float | None, float | None]:
    """The share of (example, unit) stuck at an end that is not 0, and that of units that are flat for all examples."""
    stuck, dead = [], []
    for slope in slopes:
        steepness = passes.slope(slope, values)
        # Of what is flat wherever it is asked the share is no number.
        flat = ~(steepness >= FLAT_SLOPE)
        stuck.append(float((flat & (np.asarray(values[slope.after]) != 0)).mean()))
        rows = axes.rows(slope.after, flat)
        if rows is not None:
            dead.append(float(_by_unit(rows, flat.shape).mean()))
    return max(stuck, default=None), max(dead, default=None)


def _by_unit(rows: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Which units are flat for every example; of an image or a sequence a unit is a channel."""
    if len(shape) > 2 and rows.shape[1] % shape[-1] == 0:
        rows = rows.reshape(-1, shape[-1])
    return np.asarray(rows.all(axis=0))
