"""A data set in three splits, as every workload loads one."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Examples = Float[np.ndarray, "examples data"]


@dataclass(frozen=True)
class Dataset:
    """Examples in three splits.

    Attributes:
        train: Intensities; a likelihood decides how they are presented.
        validation: One fixed presentation, to choose by.
        test: One fixed presentation, to report on.
    """

    train: Float[np.ndarray, "train data"]
    validation: Float[np.ndarray, "validation data"]
    test: Float[np.ndarray, "test data"]

    @property
    def mean(self) -> Float[np.ndarray, " data"]:
        """Mean of the training intensities: what the encoder's inputs are centred by."""
        return self.train.mean(axis=0)
