"""How much one pixel's and one unit's part weighs in a loss, and the beta that follows."""

from itertools import product
from typing import NamedTuple

import numpy as np

from vae_jax.diagnosis.bound.latents import Latent
from vae_jax.diagnosis.bound.likelihood import Likelihood

# Weights that differ by less are one.
_SAME = 0.02


class Reduction(NamedTuple):
    """The weights of a loss's two parts.

    Attributes:
        pixel: Of one entry's negative log-likelihood, of one example; of a Gaussian of variance 1.
        unit: Of one unit's KL divergence, of one example.
        beta: By how much the KL term weighs more than the bound gives it.
        pixels: How the reconstruction is reduced over an example's entries: "summed" or "averaged"; empty where its
            weight is none that follows from sums and means.
        units: The same of the KL term over units.
        squared: Whether the reconstruction is a squared error without 1/2, a Gaussian of variance 1/2.
        variance: Of a Gaussian, the variance at which the loss is the bound itself.
        residual: And the mean square of what is left of the data.
    """

    pixel: float
    unit: float
    beta: float
    pixels: str
    units: str
    squared: bool
    variance: float | None
    residual: float | None


def read_reduction(latent: Latent, likelihood: Likelihood, output: np.ndarray, shape: tuple[int, ...]) -> Reduction:
    """The weights of a loss's two parts, and the beta that follows.

    Without a weight of the person's own a part is summed or averaged over entries and over examples, so its weight
    tells which; a squared error may have a 1/2 or not.

    Args:
        latent: Whose divergence; with a weight.
        likelihood: Of the reconstruction.
        output: The reconstruction.
        shape: Of the latent's mean.
    """
    assert latent.weight is not None
    examples, gaussian = len(output), likelihood.family.name == "Gaussian"
    # A masked entry is no pixel; a categorical draw is one entry, whatever its classes.
    counted = likelihood.counted
    entries = counted.any(axis=-1) if likelihood.family.name.startswith("categorical") else counted
    pixels = _reduced(likelihood.weight, entries.sum() / examples, examples, (1.0, 2.0) if gaussian else (1.0,))
    units = _reduced(latent.weight, np.prod(shape) / examples, examples, (1.0,))
    squared = pixels is not None and pixels[1] == 2.0
    beta = latent.weight / (likelihood.weight / (2.0 if squared else 1.0))
    return Reduction(
        pixel=likelihood.weight,
        unit=latent.weight,
        beta=beta,
        pixels="" if pixels is None else pixels[0],
        units="" if units is None else units[0],
        squared=squared,
        variance=latent.weight / likelihood.weight if gaussian else None,
        residual=float(np.mean((output - likelihood.target)[counted] ** 2)) if gaussian else None,
    )


def _reduced(weight: float, entries: float, examples: int, factors: tuple[float, ...]) -> tuple[str, float] | None:
    """Whether a part is summed or averaged over an example's entries, and the factor before it."""
    ways = product((("summed", 1.0), ("averaged", entries)), (examples, 1.0), factors)
    for (word, divisor), over, factor in ways:
        if abs(weight * divisor * over / factor - 1) < _SAME:
            return word, factor
    return None
