"""Whether a training has left the plateau, by its workload's own rule. No jax."""

import math
from typing import NamedTuple

from bench.results.records import TrainingRecord, WorkloadRecord


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


def beyond(workload: WorkloadRecord, plateau: float, found: Figures) -> list[float]:
    """How far each figure that the workload's rule asks for lies beyond its limit; NaN where the figure is not there.

    Args:
        workload: With its rule, and its score's margin.
        plateau: On the split that the figures are of.
        found: The figures.
    """
    rule = workload.left
    if rule.by_score:
        return [plateau - workload.score.margin - found.score]
    asked = ((found.shuffled - found.reconstruction, rule.shuffled_nats), (found.kl_nats, rule.kl_nats))
    return [figure - limit for figure, limit in asked if limit is not None]


def has_left(workload: WorkloadRecord, plateau: float, found: Figures) -> bool | None:
    """Whether a training has left, or had at a validation; None where a figure that would tell is not there."""
    excess = beyond(workload, plateau, found)
    return None if any(map(math.isnan, excess)) else all(each > 0 for each in excess)
