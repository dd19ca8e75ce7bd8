"""A diagnosis of any model's gradient: layer by layer, and which block is to blame."""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from vae_jax.diagnosis.any_model import Function, as_function
from vae_jax.diagnosis.attribution import FADED, GROWN, Arrived, Blame, arrivals, blame
from vae_jax.diagnosis.chain import KINDS, Chain, find_chain
from vae_jax.diagnosis.graph import trace
from vae_jax.diagnosis.layer_readings import LayerReadings, read_layers
from vae_jax.diagnosis.ratios import quotient, ratio_of_norms
from vae_jax.diagnosis.verdict import ADDRESSED_BY, judge
from vae_jax.layers.slope import FLAT_SLOPE
from vae_jax.recipe.keys import random_key

OVER_TIME = "recurrence over time"
"""The kind to blame where the gradient arrives at the first layer, but only from a sequence's last steps."""

_SEED = 0


@dataclass(frozen=True)
class Layer:
    """One block of the model: from one matrix to before the next. A figure is None where it has no meaning.

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
        saturated_share: Share of (example, unit) where the activation's slope is below `FLAT_SLOPE` of its largest.
        dead_share: Share of units that are so for every example.
        zero_share: Share of entries of dL/dh that are exactly 0.
        backward_factor: How many times more comes back at the first layer with its backward Jacobian replaced by the
            identity.
        forward_factor: The same with its forward map replaced, where shapes allow.
        over_time: For a recurrence, the root mean square of dL/d(state) after each step.
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
    backward_factor: float | None
    forward_factor: float | None
    over_time: tuple[float, ...] = ()


@dataclass(frozen=True)
class Diagnosis:
    """A model's layers, and what they say.

    Attributes:
        layers: In the order of the signal; the last is the head.
        loss: What was differentiated, in words.
        gradient_ratio: |dL/dh| of the first layer over that of the last hidden one, or of a recurrence's state after
            its first step over that after its last, whichever is further from 1.
        arrived_ratio: |dL/dx| at what the first layer is given, over |dL/dh| at the head's output.
        verdict: One word of `vae_jax.diagnosis.verdict.RULES`, for an optimizer that rescales, as Adam does.
        because: The figure that decided it; and the word under SGD, where that is another.
        blame: The block, or the kind of block, that keeps the gradient from the first layer.
        kind_factors: How many times more comes back with all steps of a kind replaced, by kind.
        families: Families of remedies that act on what the verdict names.
        output_difference: Largest difference between the watched model's output and its own, relative to the largest
            entry.
        gradient_difference: Largest difference between the watched model's parameter gradient and its own, relative
            to the largest entry.
    """

    layers: tuple[Layer, ...]
    loss: str
    gradient_ratio: float
    arrived_ratio: float
    verdict: str
    because: str
    blame: Blame
    kind_factors: dict[str, float]
    families: tuple[str, ...]
    output_difference: float
    gradient_difference: float


def diagnose(
    model: Any, batch: Any, *, loss: Callable[..., Any] | None = None, key: PRNGKeyArray | None = None
) -> Diagnosis:
    """Watch one pass of any model: a figure for each layer, a verdict, and the block to blame.

    The model is traced and its operations are run one by one with zeros added between them, so nothing of it is
    modified, and what is shown is its own output.

    Args:
        model: A Flax NNX module; a pair of a Linen module and its variables; or a pair `(apply, parameters)`.
        batch: What it is called with: an array, or a tree of arrays, with at least two examples along the first axis.
        loss: `(outputs)` or `(outputs, batch)` to a number. Without one, a fixed random unit vector is pulled back
            from the output.
        key: For a model that needs a random key; given by the name key, rng or rngs. Fixed if left out.

    Raises:
        ValueError: If the batch is empty or not finite, the model has no layers, or the loss is not one number.
    """
    _check(batch)
    key = random_key(_SEED) if key is None else key
    function, parameters = as_function(model, key)
    objective, said = _objective(function, parameters, batch, loss)
    chain = find_chain(trace(function, parameters, batch), parameters)
    readings = _at_once(partial(read_layers, chain, objective), parameters, batch)
    arrived = arrivals(chain, objective, parameters, batch)
    own_pass = jax.value_and_grad(_with_result(function, objective), has_aux=True)
    (_, own_result), own_gradient = _at_once(own_pass, parameters, batch)
    layers = _layers(chain, readings, arrived, len(jax.tree.leaves(batch)[0]))
    untouched = float(arrived.untouched)
    (word, because), found = _judged(readings, layers, arrived), blame(chain, arrived)
    recurrent = (
        ("recurrent",) if word in ("vanishing", "exploding") and any(layer.over_time for layer in layers) else ()
    )
    return Diagnosis(
        layers=layers,
        loss=said,
        gradient_ratio=_ratio(readings),
        arrived_ratio=quotient(untouched, float(arrived.end)),
        verdict=word,
        because=because,
        blame=found if found.kind else blame_over_time({layer.name: layer.over_time for layer in layers}),
        kind_factors={
            kind: quotient(float(norm), untouched)
            for kind, norm in zip(KINDS, arrived.kinds, strict=True)
            if not math.isnan(norm)
        },
        families=recurrent + ADDRESSED_BY[word],
        output_difference=_difference(readings.result, own_result),
        gradient_difference=_difference(readings.parameter_gradient, own_gradient),
    )


def _at_once(compute: Callable[[Any, Any], Any], parameters: Any, batch: Any) -> Any:
    # Mapped over one set of arguments: that is one program, where one for each operation takes a minute to compile.
    mapped = jax.lax.map(lambda given: compute(*given), jax.tree.map(lambda leaf: leaf[None], (parameters, batch)))
    return jax.tree.map(lambda leaf: leaf[0], mapped)


def applied(loss: Callable[..., Any], batch: Any) -> Callable[[Any], Any]:
    """A loss as a function of the outputs alone: one that needs two arguments is given the batch as the second."""
    needed = [p for p in inspect.signature(loss).parameters.values() if p.default is inspect.Parameter.empty]
    return (lambda outputs: loss(outputs, batch)) if len(needed) > 1 else loss


def _check(batch: Any) -> None:
    leaves = jax.tree.leaves(batch)
    shapes = ", ".join(str(tuple(jnp.shape(leaf))) for leaf in leaves)
    if not leaves or any(jnp.ndim(leaf) == 0 or len(leaf) < 2 for leaf in leaves):
        raise ValueError(f"a batch must hold at least two examples along its first axis, got shape {shapes or 'none'}")
    for leaf in leaves:
        array = np.asarray(leaf)
        bad = int(array.size - np.isfinite(array).sum()) if np.issubdtype(array.dtype, np.inexact) else 0
        if bad:
            raise ValueError(
                f"the batch must be finite, got {bad} NaN or infinite of {array.size} entries: clean the data first"
            )


def _objective(
    function: Function, parameters: Any, batch: Any, loss: Callable[..., Any] | None
) -> tuple[Callable[[Any], Any], str]:
    """From the model's result to a number, and what it is in words."""
    result = jax.eval_shape(function, parameters, batch)
    if loss is not None:
        objective = applied(loss, batch)
        shape = jax.eval_shape(objective, result)
        if getattr(shape, "shape", None) != () or not jnp.issubdtype(shape.dtype, jnp.floating):
            raise ValueError(f"a loss must return one real number, got {shape}: take its mean over the batch")
        return objective, f"the given loss, {getattr(loss, '__name__', 'a function')}"
    leaves = [leaf for leaf in jax.tree.leaves(result) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    if not leaves:
        raise ValueError(
            "the model's output holds no real numbers, so there is no gradient: give a model that ends in some"
        )
    draw = np.random.default_rng(_SEED)
    directions = [draw.normal(size=leaf.shape) for leaf in leaves]
    length = math.sqrt(sum(float((direction**2).sum()) for direction in directions))

    def pulled_back(outputs: Any) -> Any:
        floating = [leaf for leaf in jax.tree.leaves(outputs) if jnp.issubdtype(leaf.dtype, jnp.floating)]
        pairs = zip(floating, directions, strict=True)
        return sum(jnp.sum(leaf * jnp.asarray(direction / length, leaf.dtype)) for leaf, direction in pairs)

    return pulled_back, "no loss was given: a fixed random unit vector pulled back from the output"


def _with_result(function: Function, objective: Callable[[Any], Any]) -> Callable[[Any, Any], tuple[Any, Any]]:
    def evaluate(parameters: Any, batch: Any) -> tuple[Any, Any]:
        result = function(parameters, batch)
        return objective(result), result

    return evaluate


def _layers(chain: Chain, readings: LayerReadings, arrived: Arrived, examples: int) -> tuple[Layer, ...]:
    gradients = [_double(leaf) for leaf in jax.tree.leaves(readings.parameter_gradient)]
    untouched = float(arrived.untouched)
    layers = []
    for index, block in enumerate(chain.blocks):
        h, gradient = _double(readings.hidden[index]), _double(readings.hidden_gradient[index])
        steps = [(place, step) for place, step in enumerate(chain.steps) if step.block == index]
        # Of what is flat wherever it is asked the share is no number.
        flat = [~(_double(readings.slopes[place]) >= FLAT_SLOPE) for place, _ in steps if place in readings.slopes]
        matrices = [gradients[leaf].ravel() for leaf in block.matrices]
        kinds = dict.fromkeys(step.kind for _, step in steps)
        layers.append(Layer(
            name=block.name,
            kind=" + ".join(kinds),
            shape=h.shape,
            hidden_gradient=_rms(gradient),
            weight_gradient=_rms(np.concatenate(matrices)) if matrices else None,
            mean_square=float(np.mean(h**2)),
            mean_cosine=_mean_cosine(h, examples),
            shared_gradient=_shared(gradient, examples),
            saturated_share=float(np.mean([part.mean() for part in flat])) if flat else None,
            dead_share=float(np.mean([part.all(axis=0).mean() for part in flat])) if flat else None,
            zero_share=float(np.mean(gradient == 0)),
            backward_factor=_factor(arrived.blocks[index], untouched),
            forward_factor=_factor(arrived.blocks_forward[index], untouched),
            over_time=over_time(readings.state_gradient[index]),
        ))  # fmt: skip
    return tuple(layers)


def _judged(readings: LayerReadings, layers: Sequence[Layer], arrived: Arrived) -> tuple[str, str]:
    """The verdict and why; of the two gradient ratios, by the one that is further from 1."""
    if not all(math.isfinite(layer.mean_square) for layer in layers):
        # Slopes and gradients of what is no number tell nothing.
        return judge(math.nan, None, None, rescales=True).word, "the forward pass has overflowed"
    ratios = (_ratio(readings), quotient(float(arrived.untouched), float(arrived.end)))
    flat = [layer.saturated_share for layer in layers if layer.saturated_share is not None]
    shared = (layers[:-1] or layers)[-1].shared_gradient
    judged = partial(judge, max(ratios, key=_distance), shared, max(flat, default=None))
    # Of the optimizer nothing is known: most use one that rescales.
    verdict, plain = judged(rescales=True), judged(rescales=False)
    if plain.word == verdict.word:
        return verdict.word, verdict.because
    return verdict.word, f"{verdict.because}; under SGD, whose steps are as small as the gradient, {plain.word}"


def blame_over_time(steps: Mapping[str, Sequence[float]]) -> Blame:
    """The recurrence in which the gradient is lost between the last step and the first, or grows; or nobody.

    Args:
        steps: For each block what `over_time` gives; empty for one without recurrences.
    """
    ratios = {name: quotient(norms[0], norms[-1]) for name, norms in steps.items() if norms}
    worst = max(ratios, key=lambda name: _distance(ratios[name]), default="")
    if not worst or FADED <= ratios[worst] <= GROWN:
        return Blame("", "", 1.0)
    return Blame(worst, OVER_TIME, max(ratios[worst], quotient(1.0, ratios[worst])))


def _ratio(readings: LayerReadings) -> float:
    # Norms, not means: they do not fall where a layer merely has more entries.
    norms = [float(np.linalg.norm(_double(gradient))) for gradient in readings.hidden_gradient]
    hidden = norms[:-1] or norms
    times = [over_time(states) for states in readings.state_gradient if states]
    ratios = [ratio_of_norms(ends[0], ends[-1]) for ends in (hidden, *times)]
    return max(ratios, key=_distance)


def _distance(ratio: float) -> float:
    return abs(math.log(ratio)) if 0 < ratio < math.inf else math.inf


def over_time(states: Sequence[Any]) -> tuple[float, ...]:
    """Root mean square of dL/d(state) after each step, over all of a block's states; empty where there are none."""
    if not states:
        return ()
    steps = np.concatenate([_double(state).reshape(len(state), -1) for state in states], axis=1)
    return tuple(np.sqrt(np.mean(steps**2, axis=1)).tolist())


def _mean_cosine(h: np.ndarray, examples: int) -> float | None:
    axes = [axis for axis, size in enumerate(h.shape) if size == examples]
    if not axes or not np.isfinite(h).all():
        return None
    rows = np.moveaxis(h, axes[0], 0).reshape(examples, -1)
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-300)
    # The sum of all pairs' cosines is the squared length of the sum of unit vectors.
    return float((np.sum(unit.sum(axis=0) ** 2) - np.sum(unit**2)) / (examples * (examples - 1)))


def _shared(gradient: np.ndarray, examples: int) -> float | None:
    axes = [axis for axis, size in enumerate(gradient.shape) if size == examples]
    square = float(np.mean(gradient**2))
    if not axes or not math.isfinite(square):
        return None
    share = float(np.mean(gradient.mean(axis=axes[0]) ** 2)) / square if square else 0.0
    return max(0.0, (examples * share - 1) / (examples - 1))


def _difference(one: Any, other: Any) -> float:
    """Largest difference between two trees, relative to the second's largest entry.

    Of all its arrays: a bias before a softmax has gradient zero, and what rounding leaves of it is not comparable.
    """
    pairs = [
        (np.nan_to_num(_double(left)), np.nan_to_num(_double(right)))
        for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
        if np.issubdtype(np.asarray(right).dtype, np.floating) and np.size(right)
    ]
    scale = max((float(np.max(np.abs(right))) for _, right in pairs), default=0.0)
    return max((float(np.max(np.abs(left - right))) for left, right in pairs), default=0.0) / (scale or 1.0)


def _factor(norm: Any, untouched: float) -> float | None:
    return None if math.isnan(norm) else quotient(float(norm), untouched)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _double(values: Any) -> np.ndarray:
    # Squares of gradients below 1e-19 underflow in float32.
    return np.asarray(values).astype(np.float64)
