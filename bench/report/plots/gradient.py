"""The hidden gradient of each arm: layers in the order of the signal, by steps."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from bench.results.records import TheoryRecord
from bench.results.results import Results

TOWERS = ("encoder", "decoder")
FLOOR = 1e-20
"""Gradients below this, and those that have underflowed to 0, are drawn as this: it means dead at any scale."""


class HiddenGradient(NamedTuple):
    """One arm's rms dL/dh: the median over the reporting seeds that are finite, NaN where none is.

    Attributes:
        values: A row per hidden layer from data through z to data, a column per recorded step.
        steps: The recorded steps.
        encoder: How many of the layers are the encoder's.
        predicted: What theory expects of each layer before the first step, from the measured last layer of its tower
            backwards; NaN where it expects nothing.
    """

    values: np.ndarray
    steps: np.ndarray
    encoder: int
    predicted: np.ndarray

    @property
    def edges(self) -> np.ndarray:
        """Where each layer begins and the last ends: the encoder from 0 to 1 and the decoder from there to 2."""
        decoder = len(self.values) - self.encoder
        return np.concatenate([np.linspace(0, 1, self.encoder + 1), np.linspace(1, 2, decoder + 1)[1:]])


Gradients = dict[str, HiddenGradient]


def hidden_gradients(results: Results) -> Gradients:
    """The hidden gradient of each arm of one workload of which any reading is finite."""
    theories = {row.cell.arm: row.record.theory for row in results.stored}
    curves = results.curves(["hidden_gradient"])
    curves = curves.loc[curves["phase"] == "reporting"]
    finite = curves.loc[np.isfinite(curves["value"])]
    medians = finite.groupby(["arm", "tower", "layer", "step"], sort=False)["value"].median()
    # Steps at which no seed was finite any more: a gap, not the last reading stretched.
    steps_of = {arm: np.sort(steps.unique()) for arm, steps in curves.groupby("arm", sort=False)["step"]}
    gradients: Gradients = {}
    for arm, own in medians.groupby(level="arm", sort=False):
        matrix = own.droplevel("arm").unstack("step").reindex(columns=steps_of[arm])
        order = sorted(matrix.index, key=lambda place: (TOWERS.index(place[0]), place[1]))
        values = matrix.reindex(pd.MultiIndex.from_tuples(order)).to_numpy(dtype=float)
        values = np.where(values < FLOOR, FLOOR, values)
        encoder = sum(tower == "encoder" for tower, _ in order)
        parts = zip(TOWERS, np.split(values[:, 0], [encoder]), strict=True)
        predicted = [_predicted(theories[str(arm)].get(tower), measured) for tower, measured in parts]
        gradients[str(arm)] = HiddenGradient(values, steps_of[arm], encoder, np.concatenate(predicted))
    return gradients


def _predicted(theory: TheoryRecord | None, measured: np.ndarray) -> np.ndarray:
    ratios = np.array(theory.gradient_ratio if theory else (), float)
    if len(ratios) != len(measured) - 1:
        return np.full(len(measured), np.nan)
    return np.maximum(measured[-1] * np.append(np.cumprod(ratios[::-1])[::-1], 1.0), FLOOR)


def decades(gradients: Gradients) -> tuple[int, int]:
    """The whole powers of ten around all gradients: one scale for all arms."""
    values = np.concatenate([gradient.values.ravel() for gradient in gradients.values()])
    low, high = np.floor(np.log10(np.nanmin(values))), np.ceil(np.log10(np.nanmax(values)))
    return int(low), int(max(high, low + 1))
