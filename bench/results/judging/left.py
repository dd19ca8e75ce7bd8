"""Whether a training has left the plateau, by its workload's own rule. No jax."""

import math
from typing import NamedTuple

from bench.results.judging.score import Left, Score
from bench.results.stored.records import TrainingRecord


class Figures(NamedTuple):
    """What the rules are of: a training's figures on one split, at its end or at one validation.

    Named as the records of trainings name them, and as instruments the curves on validation; NaN where there is none.
    """

    score: float
    reconstruction: float = math.nan
    kl_nats: float = math.nan
    shuffled: float = math.nan


def figures(training: TrainingRecord) -> Figures:
    """A training's figures at its end."""
    values = (getattr(training, name) for name in Figures._fields)
    return Figures(*(math.nan if value is None else value for value in values))


def beyond(score: Score, left: Left, plateau: float, found: Figures) -> list[float]:
    """How far each figure that a rule asks for lies beyond its limit; NaN where the figure is not there.

    Args:
        score: What the workload is judged by, with its margin.
        left: The workload's rule.
        plateau: On the split that the figures are of.
        found: The figures.
    """
    if left.by_score:
        return [plateau - score.margin - found.score]
    asked = ((found.shuffled - found.reconstruction, left.shuffled_nats), (found.kl_nats, left.kl_nats))
    return [figure - limit for figure, limit in asked if limit is not None]


def has_left(score: Score, left: Left, plateau: float, found: Figures) -> bool | None:
    """Whether a training has left, or had at a validation; None where a figure that would tell is not there."""
    excess = beyond(score, left, plateau, found)
    return None if any(map(math.isnan, excess)) else all(each > 0 for each in excess)
