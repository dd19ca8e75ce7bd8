"""How well a reading tells what will leave the plateau from what will stay: areas under the curve. No jax."""

import math
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from bench.results.judging.statistics import LEVEL, NOTHING, Interval

RESAMPLES = 2000
"""Of structures, for an interval; always the same ones."""

Pairs = list[tuple[np.ndarray, np.ndarray, np.ndarray]]


class Threshold(NamedTuple):
    """Where a reading divides best.

    Attributes:
        limit: What lies at or above it is said to leave.
        right: The share of all that is then told rightly.
        sensitivity: Of those that left, the share that is said to leave.
        specificity: Of those that stayed, the share that is said to stay.
    """

    limit: float
    right: float
    sensitivity: float
    specificity: float


def area_under_curve(
    readings: Sequence[float],
    left: Sequence[bool],
    groups: Sequence[Hashable],
    structures: Sequence[Hashable],
) -> Interval:
    """How often, of two of one group of which one left and one stayed, the one that left has the greater reading.

    A tie counts a half: 1 tells all apart, 0.5 none. Over all groups the pairs are counted together. Two that share a
    structure had the same start and are no two witnesses: the interval is of resampled structures, by percentiles.

    Args:
        readings: One for each; what is not a number is left out.
        left: Whether each left.
        groups: Which of them are compared with each other.
        structures: Which of them stand or fall together.

    Returns:
        The area; nothing where no group has both.

    Source:
        Hanley & McNeil 1982, doi:10.1148/radiology.143.1.7063747; Field & Welsh 2007,
        doi:10.1111/j.1467-9868.2007.00593.x, for resampling clusters.
    """
    own = [index for index, reading in enumerate(readings) if not math.isnan(reading)]
    pairs = _pairs([readings[i] for i in own], [left[i] for i in own], [groups[i] for i in own])
    if not pairs:
        return NOTHING
    names = {name: number for number, name in enumerate(dict.fromkeys(structures[i] for i in own))}
    structure = np.array([names[structures[i]] for i in own])
    weights = np.random.default_rng(0).multinomial(len(names), np.full(len(names), 1 / len(names)), RESAMPLES)
    with np.errstate(invalid="ignore"):
        resampled = _share(pairs, weights[:, structure].astype(float))
    resampled = resampled[np.isfinite(resampled)]
    low, high = np.quantile(resampled, [LEVEL / 2, 1 - LEVEL / 2])
    return Interval(float(_share(pairs, np.ones((1, len(own))))[0]), float(low), float(high))


def best_threshold(readings: Sequence[float], left: Sequence[bool]) -> Threshold | None:
    """Where the mean of sensitivity and specificity is greatest; None where there is nothing to divide."""
    kept = [(reading, bool(went)) for reading, went in zip(readings, left, strict=True) if not math.isnan(reading)]
    values, went = np.array([reading for reading, _ in kept]), np.array([each for _, each in kept], bool)
    if not went.any() or went.all():
        return None
    limits = np.unique(values)
    said = values >= limits[:, None]
    sensitivity, specificity = said[:, went].mean(axis=1), (~said[:, ~went]).mean(axis=1)
    best = int(np.argmax(sensitivity + specificity))
    return Threshold(
        float(limits[best]), float((said[best] == went).mean()), float(sensitivity[best]), float(specificity[best])
    )


def best_guess(left: Sequence[bool], groups: Sequence[Hashable]) -> int:
    """How many are told rightly by who looks at nothing but the group, and says of each what most in it did."""
    counts = {group: [0, 0] for group in groups}
    for went, group in zip(left, groups, strict=True):
        counts[group][bool(went)] += 1
    return sum(map(max, counts.values()))


def _pairs(readings: Sequence[float], left: Sequence[bool], groups: Sequence[Hashable]) -> Pairs:
    """Of each group with both: the indices of those that left, of those that stayed, and who of each pair is ahead."""
    values, went = np.array(readings, float), np.array(left, bool)
    found: Pairs = []
    for group in dict.fromkeys(groups):
        member = np.array([each == group for each in groups], bool)
        ahead, behind = np.flatnonzero(member & went), np.flatnonzero(member & ~went)
        if len(ahead) and len(behind):
            one, other = values[ahead][:, None], values[behind][None]
            # Of two infinite readings neither is ahead.
            found.append((ahead, behind, (one > other) + 0.5 * (one == other)))
    return found


def _share(pairs: Pairs, weights: np.ndarray) -> np.ndarray:
    """The share of pairs that are in order, for each row of weights."""
    right = sum(((weights[:, one] @ order) * weights[:, other]).sum(axis=1) for one, other, order in pairs)
    every = sum(weights[:, one].sum(axis=1) * weights[:, other].sum(axis=1) for one, other, _ in pairs)
    return np.asarray(right) / np.asarray(every)
