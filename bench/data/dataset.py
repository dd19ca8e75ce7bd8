"""A data set in three splits, as every workload loads one."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from bench.language.errors import InputError

Examples = Float[np.ndarray, "examples data"]

Rows = Any
"""Stored examples: an array, or a pytree of arrays, each with an axis of examples in front."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples in three splits.

    Attributes:
        train: Rows; the workload's architecture says how they are presented.
        validation: One fixed presentation, to choose by.
        test: One fixed presentation, to report on.
        mean: Mean of the training targets, at which a model's outputs start and by which inputs may be centred; of
            rows that are one array it is theirs.
        labels: Of the test examples, where they have some: integers; no model sees them.
        description: Where it is from and how it was split, in sentences; empty where the workload makes it.
        vocabulary: Of text, which token each number is: a `Vocabulary`.
        tokens: Of text, how many a sentence of the test set has on average, its end counted; a number.

    Raises:
        InputError: If the rows are not one array and no mean is given.
    """

    train: Rows
    validation: Rows
    test: Rows
    mean: Any = None
    vocabulary: Any = field(default=None, kw_only=True)
    tokens: Any = field(default=None, kw_only=True)
    labels: Any = field(default=None, kw_only=True)
    description: str = field(default="", kw_only=True)

    def __post_init__(self):
        if self.mean is None:
            if not isinstance(self.train, np.ndarray):
                raise InputError(
                    f"a data set of {type(self.train).__name__} rows has no mean of its own: give mean=, that of the "
                    "training targets"
                )
            object.__setattr__(self, "mean", self.train.mean(axis=0) if len(self.train) else self.train.sum(axis=0))
