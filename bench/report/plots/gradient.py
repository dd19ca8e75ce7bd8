"""The hidden gradient of each arm: layers in the order of the signal, by steps."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

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


def hidden_gradients(curves: pd.DataFrame, theories: Mapping[str, dict[str, Any]]) -> Gradients:
    """The hidden gradient of each arm of which any reading is finite.

    Args:
        curves: One workload's.
        theories: What theory expects, by arm, as a manifest keeps it.
    """
    chosen = (curves["instrument"] == "hidden_gradient") & (curves["phase"] == "reporting")
    rows = curves.loc[chosen & np.isfinite(curves["value"])]
    gradients: Gradients = {}
    for arm, own in rows.groupby("arm", sort=False):
        matrix = own.pivot_table(index=["tower", "layer"], columns="step", values="value", aggfunc="median")
        # Steps at which no seed was finite any more: a gap, not the last reading stretched.
        steps = np.unique(curves.loc[chosen & (curves["arm"] == arm), "step"].to_numpy())
        matrix = matrix.reindex(columns=steps)
        order = sorted(matrix.index, key=lambda place: (TOWERS.index(place[0]), place[1]))
        values = matrix.reindex(pd.MultiIndex.from_tuples(order)).to_numpy(dtype=float)
        values = np.where(values < FLOOR, FLOOR, values)
        encoder = sum(tower == "encoder" for tower, _ in order)
        parts = zip(TOWERS, np.split(values[:, 0], [encoder]), strict=True)
        predicted = [_predicted(theories.get(str(arm), {}).get(tower, {}), measured) for tower, measured in parts]
        gradients[str(arm)] = HiddenGradient(values, steps, encoder, np.concatenate(predicted))
    return gradients


def _predicted(theory: dict[str, Any], measured: np.ndarray) -> np.ndarray:
    ratios = theory.get("gradient_ratio", [])
    if len(ratios) != len(measured) - 1:
        return np.full(len(measured), np.nan)
    return np.maximum(measured[-1] * np.append(np.cumprod(ratios[::-1])[::-1], 1.0), FLOOR)


def decades(gradients: Gradients) -> tuple[int, int]:
    """The whole powers of ten around all gradients: one scale for all arms."""
    values = np.concatenate([gradient.values.ravel() for gradient in gradients.values()])
    low, high = np.floor(np.log10(np.nanmin(values))), np.ceil(np.log10(np.nanmax(values)))
    return int(low), int(max(high, low + 1))
