"""How far apart two trainings ended, and which numbers of one are none."""

from typing import Any

import jax
import numpy as np

from bench.examination.check_result import CheckError
from bench.examination.trial import Trained

# Below this share of the largest parameter, a leaf's own size says nothing.
_ALL_BUT_ZERO = 1e-3


def ended(trained: Trained) -> Any:
    """The tree that trainings are compared by: their parameters, and those that they would be evaluated at."""
    return trained.state.parameters, trained.evaluated


def apart(one: Any, other: Any) -> float:
    """The greatest difference between two trees of one kind, relative to the largest number of each leaf.

    Of a leaf that is all but zero, relative to a thousandth of the largest number of all: a bias before batch
    normalization has no gradient, and holds nothing but the rounding of its sums.

    Raises:
        CheckError: If they are of different kinds.
    """
    leaves, others = jax.tree.leaves(one), jax.tree.leaves(other)
    if [leaf.shape for leaf in leaves] != [leaf.shape for leaf in others]:
        raise CheckError("its parameters have other shapes than the base's")
    pairs = [(np.asarray(a), np.asarray(b)) for a, b in zip(leaves, others, strict=True)]
    largest = [float(np.max(np.abs(b))) for _, b in pairs]
    floor = max(_ALL_BUT_ZERO * max(largest), 1e-30)
    return max(float(np.max(np.abs(a - b))) / max(size, floor) for (a, b), size in zip(pairs, largest, strict=True))


def not_finite(readings: dict[str, Any]) -> list[str]:
    """The names of readings that hold a number that is none."""
    return [
        name for name, tree in readings.items() if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(tree))
    ]
