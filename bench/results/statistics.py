"""Statistics over seeds. No jax."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from bench.language.figures import decimals, fixed

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """A mean and its interval; NaN where there is none."""

    mean: float
    low: float
    high: float


def student_t(values: Sequence[float]) -> Interval:
    """The mean of independent values and Student's t interval around it, at `CONFIDENCE`.

    Args:
        values: One per seed. With one value there is no interval; with one that is not finite (a training that
            diverged) there is no mean either.
    """
    if not values or not np.isfinite(values).all():
        return Interval(math.nan, math.nan, math.nan)
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, math.nan, math.nan)
    # Not scipy.stats, which takes longer to import than all else that a table needs.
    half = float(stdtrit(len(values) - 1, 0.5 + CONFIDENCE / 2) * np.std(values, ddof=1) / math.sqrt(len(values)))
    return Interval(mean, mean - half, mean + half)


def interval_text(interval: Interval) -> str:
    """A mean with its interval, as 23.41 [23.22, 23.60]; the mean alone with one seed, empty without a mean.

    >>> interval_text(Interval(23.41, 23.22, 23.6))
    '23.41 [23.22, 23.60]'
    >>> interval_text(Interval(0.0712, 0.0705, 0.072))
    '0.0712 [0.0705, 0.0720]'
    """
    digits = decimals(interval.mean)
    bounds = "" if math.isnan(interval.low) else f" [{fixed(interval.low, digits)}, {fixed(interval.high, digits)}]"
    return fixed(interval.mean, digits) + bounds
