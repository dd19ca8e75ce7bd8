"""What a batch says of itself."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from vae_jax.diagnosis.layers.readings import mean_cosine


class DataFacts(NamedTuple):
    """The batch's largest array of real numbers.

    Attributes:
        name: Its path; empty where it is the batch.
        low: Its least number.
        high: Its largest.
        cosine: c of the data themselves, the mean cosine between two examples.
        alike: Whether all examples are one and the same.
    """

    name: str
    low: float
    high: float
    cosine: float | None
    alike: bool


def read_data(batch: Any) -> DataFacts | None:
    """The facts of a batch; None of one that holds no real numbers, or none that are finite."""
    leaves = [
        ("/".join(jax.tree_util.keystr((key,), simple=True) for key in path), leaf)
        for path, leaf in jax.tree_util.tree_flatten_with_path(batch)[0]
        if jnp.issubdtype(leaf.dtype, jnp.floating) and jnp.ndim(leaf)
    ]
    if not leaves:
        return None
    name, leaf = max(leaves, key=lambda pair: pair[1].size)
    rows = np.asarray(leaf, np.float64).reshape(len(leaf), -1)
    if not np.isfinite(rows).all():
        return None
    alike = bool((rows == rows[:1]).all())
    return DataFacts(name, float(rows.min()), float(rows.max()), mean_cosine(rows), alike)
