"""The hidden gradient of each arm: layers in the order of the signal, by steps."""

from collections import Counter
from typing import NamedTuple

import numpy as np
import pandas as pd

from bench.results.results import Results
from bench.results.stored.records import TheoryRecord

FLOOR = 1e-20
"""Gradients below this, and those that have underflowed to 0, are drawn as this: it means dead at any scale."""


class HiddenGradient(NamedTuple):
    """One arm's rms dL/dh: the median over the reporting seeds that are finite, NaN where none is.

    Attributes:
        values: A row per hidden layer in the order of the signal, a column per recorded step.
        steps: The recorded steps.
        stacks: How many layers each stack has, in the order of the signal.
        between: What lies before, between and after them, as data, z and data.
        predicted: What theory expects of each layer before the first step, from the measured last layer of its stack
            backwards; NaN where it expects nothing.
    """

    values: np.ndarray
    steps: np.ndarray
    stacks: dict[str, int]
    between: tuple[str, ...]
    predicted: np.ndarray

    @property
    def edges(self) -> np.ndarray:
        """Where each layer begins and the last ends: the first stack from 0 to 1, the next from there to 2."""
        parts = [np.linspace(index, index + 1, layers + 1)[1:] for index, layers in enumerate(self.stacks.values())]
        return np.concatenate([[0.0], *parts])


Gradients = dict[str, HiddenGradient]


def hidden_gradients(results: Results) -> Gradients:
    """The hidden gradient of each arm of one workload of which any reading is finite."""
    theories = {row.cell.arm: row.record.theory for row in results.stored}
    workload = next(iter(results.plan.workloads.values()))
    curves = results.curves(["hidden_gradient"])
    # The plan knows the order of the signal.
    order_of = list(dict.fromkeys((*workload.layers, *curves["tower"].unique())))
    curves = curves.loc[curves["phase"] == "reporting"]
    finite = curves.loc[np.isfinite(curves["value"])]
    medians = finite.groupby(["arm", "tower", "layer", "step"], sort=False)["value"].median()
    # Steps at which no seed was finite any more: a gap, not the last reading stretched.
    steps_of = {arm: np.sort(steps.unique()) for arm, steps in curves.groupby("arm", sort=False)["step"]}
    gradients: Gradients = {}
    for arm, own in medians.groupby(level="arm", sort=False):
        matrix = own.droplevel("arm").unstack("step").reindex(columns=steps_of[arm])
        order = sorted(matrix.index, key=lambda place: (order_of.index(place[0]), place[1]))
        values = matrix.reindex(pd.MultiIndex.from_tuples(order)).to_numpy(dtype=float)
        values = np.where(values < FLOOR, FLOOR, values)
        stacks = dict(Counter(stack for stack, _ in order))
        parts = zip(stacks, np.split(values[:, 0], np.cumsum(list(stacks.values()))[:-1]), strict=True)
        predicted = [_predicted(theories[str(arm)].get(stack), measured) for stack, measured in parts]
        gradients[str(arm)] = HiddenGradient(
            values, steps_of[arm], stacks, _between(len(stacks), workload.latent), np.concatenate(predicted)
        )
    return gradients


def _between(stacks: int, latent: int | None) -> tuple[str, ...]:
    if stacks == 2:
        return "data", "code" if latent is None else "z", "data"
    return ("data", *[""] * (stacks - 1), "outputs")


def _predicted(theory: TheoryRecord | None, measured: np.ndarray) -> np.ndarray:
    ratios = np.array(theory.gradient_ratio if theory else (), float)
    # Of a single layer there is no step that theory could tell of.
    if not ratios.size or len(ratios) != len(measured) - 1:
        return np.full(len(measured), np.nan)
    return np.maximum(measured[-1] * np.append(np.cumprod(ratios[::-1])[::-1], 1.0), FLOOR)


def decades(gradients: Gradients) -> tuple[int, int]:
    """The whole powers of ten around all gradients: one scale for all arms."""
    values = np.concatenate([gradient.values.ravel() for gradient in gradients.values()])
    low, high = np.floor(np.log10(np.nanmin(values))), np.ceil(np.log10(np.nanmax(values)))
    return int(low), int(max(high, low + 1))
