"""Which likelihood a loss gives an output, and how much one entry of it weighs: found from the loss's gradient.

Every likelihood of an exponential family has dL/d(output) = weight x (mean(output) - target) x (a slope of the output),
so that two gradients, at two outputs, tell the weight without the target, and then the target.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import expit, log_expit, logsumexp, softmax, xlog1py, xlogy

# Of the gradient's root mean square: rounding in float32 of sums over batch and pixels.
_FITS = 2e-2

_EDGE = 1e-6


class Family(NamedTuple):
    """A likelihood.

    Attributes:
        name: In words.
        mean: What an output predicts.
        slope: What the gradient with respect to the output is divided by, so that weight x (mean - target) is left.
        negative_log: Of an output and a target, by entry, up to what no output changes.
        best: The output that is best for the mean of a target's distribution.
    """

    name: str
    mean: Callable[[np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray], np.ndarray]
    negative_log: Callable[[np.ndarray, np.ndarray], np.ndarray]
    best: Callable[[np.ndarray], np.ndarray]


def _clipped(y: np.ndarray) -> np.ndarray:
    return np.clip(y, _EDGE, 1 - _EDGE)


FAMILIES = (
    Family("Gaussian", lambda y: y, np.ones_like, lambda y, t: 0.5 * (y - t) ** 2, lambda t: t),
    Family(
        "Bernoulli, of logits",
        expit,
        np.ones_like,
        lambda y, t: -(t * log_expit(y) + (1 - t) * log_expit(-y)),
        lambda t: np.log(_clipped(t)) - np.log1p(-_clipped(t)),
    ),
    Family(
        "Bernoulli, of probabilities",
        lambda y: y,
        lambda y: 1 / (_clipped(y) * (1 - _clipped(y))),
        lambda y, t: -(xlogy(t, _clipped(y)) + xlog1py(1 - t, -_clipped(y))),
        _clipped,
    ),
    Family(
        "categorical, of logits",
        lambda y: softmax(y, axis=-1),
        np.ones_like,
        lambda y, t: -t * (y - logsumexp(y, axis=-1, keepdims=True)),
        lambda t: np.log(np.maximum(t, _EDGE)),
    ),
)
"""The likelihoods that are told apart; the entries of a categorical one's last axis are one draw."""


class Likelihood(NamedTuple):
    """What a loss makes of an output.

    Attributes:
        family: Which of `FAMILIES`.
        weight: By how much one entry's negative logarithm, of a Gaussian of variance 1, is multiplied in the loss.
        target: What the output is compared with, of its shape.
        counted: Which entries count at all: a mask leaves some without a gradient.
    """

    family: Family
    weight: float
    target: np.ndarray
    counted: np.ndarray

    def nats(self, output: np.ndarray) -> float:
        """The negative log-likelihood of an output, for one example on average."""
        lost = np.where(self.counted, self.family.negative_log(output, self.target), 0.0)
        return float(lost.sum() / len(output))


def recognise(gradient: Callable[[np.ndarray], np.ndarray], output: np.ndarray) -> Likelihood | None:
    """The likelihood of an output, or None of one that is none of `FAMILIES`.

    Args:
        gradient: From an output, all else held, to dL/d(output).
        output: The model's.
    """
    draw = np.random.default_rng(0)
    inside = bool((output > 0).all() and (output < 1).all())
    scale = float(np.std(output)) or 1.0
    shift = draw.uniform(0.3, 0.7, output.shape) * draw.choice([-1.0, 1.0], output.shape)
    # Probabilities stay probabilities.
    other = output + (np.minimum(output, 1 - output) * shift if inside else max(scale, 0.5) * shift)
    here, there = gradient(output), gradient(other)
    counted = (here != 0) | (there != 0)
    if not counted.any() or not np.isfinite(here).all() or not np.isfinite(there).all():
        return None
    for family in FAMILIES:
        if family.name.startswith("categorical") and (output.ndim < 2 or output.shape[-1] < 2):
            continue
        if family.name.endswith("probabilities") and not inside:
            continue
        with np.errstate(over="ignore"):
            moved = (family.mean(other) - family.mean(output))[counted]
            one, two = here / family.slope(output), there / family.slope(other)
        changed = (two - one)[counted]
        length = float(moved @ moved)
        if not length or not np.isfinite(changed).all():
            continue
        weight = float(moved @ changed) / length
        if weight <= 0 or _rms(changed - weight * moved) > _FITS * _rms(changed):
            continue
        target = np.where(counted, family.mean(output) - one / weight, 0.0)
        if family.name.startswith("categorical") and not _one_of_each(target, counted):
            continue
        return Likelihood(family, weight, target, counted)
    return None


def _one_of_each(target: np.ndarray, counted: np.ndarray) -> bool:
    sums = target.sum(axis=-1)[counted.any(axis=-1)]
    return bool(np.abs(sums - 1).max() < 0.1)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))
