"""Escape: the step at which a training leaves the plateau for good. No jax."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from bench.results.judging.left import Figures, has_left
from bench.results.stored.records import WorkloadRecord


class Escape(NamedTuple):
    """When one training left for good, or was last seen on the plateau.

    Attributes:
        step: Of the first validation from which on it had left, or of the last one.
        left: Whether it had left at the last.
    """

    step: int
    left: bool


def escape(workload: WorkloadRecord, plateau: float, validation: pd.DataFrame) -> Escape | None:
    """When a training left for good; None where a figure that would tell is not there.

    Args:
        workload: With its score and rule.
        plateau: On validation.
        validation: A row per step, in order, a column for each of `Figures` that was measured.
    """
    names = [name for name in Figures._fields if name in validation]
    told = [
        has_left(workload.score, workload.left, plateau, Figures(**dict(zip(names, row, strict=True))))
        for row in validation[names].itertuples(index=False)
    ]
    if not told:
        return None
    # A training that diverged is on no plateau, and has not left it for anything.
    on = np.flatnonzero([not each for each in told])
    steps = validation.index
    if on.size and on[-1] == len(told) - 1:
        return Escape(int(steps[-1]), False)
    return Escape(int(steps[on[-1] + 1 if on.size else 0]), True)
