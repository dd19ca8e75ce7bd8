"""What an arm's tuning tells: how good a training is among others, and how its rate lies in the grid. No jax."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from bench.results.judging.left import figures, has_left
from bench.results.judging.score import Left, Score
from bench.results.stored.records import TrainingRecord

LEFT, STUCK, DIVERGED = range(3)
"""Kinds of trainings, the best first: it has left the plateau, it has not, it has no score."""

NO_RATE_LEFT = "none left"
"""Said in place of an edge."""


class Rank(NamedTuple):
    """How good a training is: by its kind, then by its score; less is better."""

    kind: int
    score: float


def rank(score: Score, left: Left, plateau: float, training: TrainingRecord) -> Rank:
    """How good a training is among others of its workload.

    Args:
        score: What it is judged by.
        left: The workload's rule of having left.
        plateau: On the split that its figures are of.
        training: The training.
    """
    if training.score is None:
        return Rank(DIVERGED, math.inf)
    return Rank(LEFT if has_left(score, left, plateau, figures(training)) else STUCK, training.score)


class Grid(NamedTuple):
    """How the chosen rate lies among those that were tried.

    Attributes:
        edge: `no`, `low` or `high`, or `none left`: at no rate did the median tuning seed leave the plateau.
        score: The score at the chosen rate, on the first tuning seed.
        default_score: The score at the middle of the grid before it grew, on the first tuning seed; None where that
            diverged, or the grid has no middle.
        band: The highest over the lowest of the rates around the best, next to one another, at which the first tuning
            seed left the plateau; None where none did.
    """

    edge: str
    score: float | None
    default_score: float | None
    band: float | None


def grid(tuning: Sequence[TrainingRecord], learning_rate: float, rates: int, ranks: Sequence[Rank]) -> Grid:
    """How the chosen rate lies among those that were tried.

    Args:
        tuning: The tuning's trainings, in the order in which they were run.
        learning_rate: The chosen rate.
        rates: Of the grid before it grew.
        ranks: How good each is.
    """
    tried = sorted({training.learning_rate for training in tuning})
    of_rate = sorted(each for each, training in zip(ranks, tuning, strict=True)
                     if training.learning_rate == learning_rate)  # fmt: skip
    edge = "low" if learning_rate == tried[0] else "high" if learning_rate == tried[-1] else "no"
    if of_rate[len(of_rate) // 2].kind != LEFT:
        edge = NO_RATE_LEFT
    first = [(training, each) for training, each in zip(tuning, ranks, strict=True)
             if training.seed == tuning[0].seed]  # fmt: skip
    has_left = {training.learning_rate: each.kind == LEFT for training, each in first}
    default = first[rates // 2][0].score if rates % 2 else None
    score = next(training.score for training, _ in first if training.learning_rate == learning_rate)
    return Grid(edge, score, default, _band([has_left[rate] for rate in tried], tried, learning_rate))


def _band(left: list[bool], rates: list[float], chosen: float) -> float | None:
    low = high = rates.index(chosen)
    if not left[low]:
        return None
    while low and left[low - 1]:
        low -= 1
    while high + 1 < len(rates) and left[high + 1]:
        high += 1
    return rates[high] / rates[low]
