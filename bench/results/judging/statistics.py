"""Statistics over seeds: a handful of independent trainings. No jax."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Not scipy.stats, which takes longer to import than all else that a table needs.
from scipy.special import betaincinv, ndtri, stdtr, stdtrit

from bench.language.figures import decimals, fixed

CONFIDENCE = 0.95
LEVEL = 1 - CONFIDENCE
"""Of a test, and of what a correction for many tests keeps to."""


class Interval(NamedTuple):
    """A mean and its interval; NaN where there is none."""

    mean: float
    low: float
    high: float


NOTHING = Interval(math.nan, math.nan, math.nan)


def student_t(values: Sequence[float]) -> Interval:
    """The mean of independent values and Student's t interval around it, at `CONFIDENCE`.

    Args:
        values: One per seed. With one value there is no interval; with one that is not finite (a training that
            diverged) there is no mean either.
    """
    if not values or not np.isfinite(values).all():
        return NOTHING
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, math.nan, math.nan)
    half = float(stdtrit(len(values) - 1, 0.5 + CONFIDENCE / 2)) * _standard_error(values)
    return Interval(mean, mean - half, mean + half)


def p_value(differences: Sequence[float]) -> float:
    """Of paired Student's t, two-sided: how likely differences as far from 0 are where there is none.

    Args:
        differences: One per pair. Of fewer than two there is none. Where all are exactly 0, t is 0/0: nothing speaks
            against there being no difference, which is 1.
    """
    if len(differences) < 2:
        return math.nan
    mean, error = float(np.mean(differences)), _standard_error(differences)
    if error == 0:
        return float(mean == 0)
    return 2 * float(stdtr(len(differences) - 1, -abs(mean) / error))


class Sample(NamedTuple):
    """What is known of one group of independent values."""

    mean: float
    deviation: float
    size: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Sample":
        """The sample of some values, of which there are at least two."""
        return cls(float(np.mean(values)), float(np.std(values, ddof=1)), len(values))

    @classmethod
    def behind(cls, interval: Interval, size: int) -> "Sample":
        """The sample of so many values that Student's t interval is of."""
        half = (interval.high - interval.low) / 2
        return cls(interval.mean, half * math.sqrt(size) / float(stdtrit(size - 1, 0.5 + CONFIDENCE / 2)), size)


def welch(one: Sample, other: Sample) -> tuple[Interval, float]:
    """One mean minus another's with its interval, and how likely one as far from 0 is where there is none: of groups
    that are not paired and need not vary alike.

    Source:
        Welch 1947, doi:10.1093/biomet/34.1-2.28.
    """
    squares = [each.deviation**2 / each.size for each in (one, other)]
    mean, error = one.mean - other.mean, math.sqrt(sum(squares))
    if error == 0:
        return Interval(mean, mean, mean), float(mean == 0)
    freedom = sum(squares) ** 2 / sum(
        square**2 / (each.size - 1) for square, each in zip(squares, (one, other), strict=True)
    )
    half = float(stdtrit(freedom, 0.5 + CONFIDENCE / 2)) * error
    return Interval(mean, mean - half, mean + half), 2 * float(stdtr(freedom, -abs(mean) / error))


def exact_binomial(successes: int, of: int) -> Interval:
    """The share of successes with its exact interval, at `CONFIDENCE`.

    Source:
        Clopper & Pearson 1934, doi:10.1093/biomet/26.4.404.
    """
    tail = LEVEL / 2
    low = float(betaincinv(successes, of - successes + 1, tail)) if successes else 0.0
    high = float(betaincinv(successes + 1, of - successes, 1 - tail)) if successes < of else 1.0
    return Interval(successes / of, low, high)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted so that the chance of any false claim among them all is at most the level.

    Source:
        Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    order, count = np.argsort(p_values), len(p_values)
    adjusted = np.empty(count)
    adjusted[order] = np.maximum.accumulate(np.sort(p_values) * np.arange(count, 0, -1))
    return np.minimum(adjusted, 1).tolist()


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted so that of all claims the share that is false is at most the level, in expectation.

    Source:
        Benjamini & Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    order, count = np.argsort(p_values), len(p_values)
    scaled = np.sort(p_values) * count / np.arange(1, count + 1)
    adjusted = np.empty(count)
    adjusted[order] = np.minimum.accumulate(scaled[::-1])[::-1]
    return np.minimum(adjusted, 1).tolist()


def kendall(one: Sequence[float], other: Sequence[float]) -> Interval:
    """Kendall's tau-b of pairs with its interval, at `CONFIDENCE`; none of fewer than five pairs, or where one is flat.

    The interval is of Fisher's z, whose variance is 0.437 / (n - 4).

    Source:
        Fieller, Hartley & Pearson 1957, doi:10.1093/biomet/44.3-4.470.
    """
    if len(one) < 5 or len(set(one)) == 1 or len(set(other)) == 1:
        return NOTHING
    from scipy.stats import kendalltau

    tau = float(kendalltau(one, other)[0])  # pyright: ignore[reportArgumentType]
    # Of a perfect order z is infinite.
    z = math.atanh(max(-1 + 1e-12, min(1 - 1e-12, tau)))
    half = float(ndtri(0.5 + CONFIDENCE / 2)) * math.sqrt(0.437 / (len(one) - 4))
    return Interval(tau, math.tanh(z - half), math.tanh(z + half))


class Survival(NamedTuple):
    """What share has not met an event yet, after each time at which one was met."""

    times: list[float]
    shares: list[float]

    @property
    def median(self) -> float:
        """The first time after which at most half is left; NaN where more than half was never seen to meet it."""
        return next((time for time, share in zip(self.times, self.shares, strict=True) if share <= 0.5), math.nan)


def kaplan_meier(times: Sequence[float], met: Sequence[bool]) -> Survival:
    """The product-limit estimate.

    Args:
        times: When each met the event, or was last seen without having met it.
        met: Whether it did.

    Source:
        Kaplan & Meier 1958, doi:10.1080/01621459.1958.10501452.
    """
    share, shares = 1.0, []
    events = sorted({time for time, event in zip(times, met, strict=True) if event})
    for time in events:
        at_risk = sum(each >= time for each in times)
        share *= 1 - sum(each == time and event for each, event in zip(times, met, strict=True)) / at_risk
        shares.append(share)
    return Survival(events, shares)


def interval_text(interval: Interval, like: float | None = None) -> str:
    """A mean with its interval, as 23.41 [23.22, 23.60]; the mean alone with one seed, empty without a mean.

    Args:
        interval: See above.
        like: A figure that has as many decimals as are wanted; without it the mean itself.

    >>> interval_text(Interval(23.41, 23.22, 23.6))
    '23.41 [23.22, 23.60]'
    >>> interval_text(Interval(0.0712, 0.0705, 0.072))
    '0.0712 [0.0705, 0.0720]'
    >>> interval_text(Interval(0.0012, -0.002, 0.0044), like=27.2)
    '0.00 [0.00, 0.00]'
    """
    digits = decimals(interval.mean if like is None else like)
    bounds = "" if math.isnan(interval.low) else f" [{fixed(interval.low, digits)}, {fixed(interval.high, digits)}]"
    return fixed(interval.mean, digits) + bounds


def _standard_error(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) / math.sqrt(len(values))
