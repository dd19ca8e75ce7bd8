"""-ELBO over the steps of training, on validation."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.report.plots.panels import REFERENCE, Panels, panels, styles
from bench.report.plots.sheet import PANEL_WIDTH, legend_height, sheet, styled
from bench.results.tables import past_the_code

PLOT_HEIGHT = 2.1


class Band(NamedTuple):
    """One arm's -ELBO on validation over its reporting seeds, at each step; no mean from where a seed diverged."""

    steps: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


Bands = dict[str, Band]


def validation_bands(curves: pd.DataFrame) -> Bands:
    """The band of each arm of which any reading is finite."""
    chosen = (curves["instrument"] == "negative_elbo") & (curves["split"] == "validation")
    rows = curves.loc[chosen & (curves["phase"] == "reporting")]
    bands: Bands = {}
    for arm, own in rows.groupby("arm", sort=False):
        seeds = own.pivot_table(index="step", columns="seed", values="value", dropna=False)
        seeds = seeds.where(np.isfinite(seeds))
        if seeds.notna().to_numpy().any():
            over = (seeds.mean(axis=1, skipna=False), seeds.min(axis=1), seeds.max(axis=1))
            bands[str(arm)] = Band(seeds.index.to_numpy(), *(column.to_numpy(dtype=float) for column in over))
    return bands


@styled
def elbo_over_steps(
    summary: pd.DataFrame, bands: Bands, shown: Panels | None = None, columns: int = 3
) -> Figure | None:
    """Mean -ELBO on validation over steps, with a band from the lowest to the highest seed.

    Args:
        summary: One workload's rows.
        bands: Its bands.
        shown: Titles and arms of the panels to draw; None for all. The scale is that of all arms either way.
        columns: Panels side by side.

    Returns:
        The figure, or None where no validation was recorded.
    """
    shown = {
        title: drawn for title, arms in (panels(summary) if shown is None else shown).items()
        if (drawn := [arm for arm in arms if arm in bands]) or (title == REFERENCE and REFERENCE in bands)
    }  # fmt: skip
    if not shown:
        return None
    plateau = float(summary["plateau_validation"].iloc[0])
    # An arm that needs no code lies far below all others, and would press them flat.
    past = set(summary["arm"][past_the_code(summary)])
    limits = _limits({arm: band for arm, band in bands.items() if arm not in past}, plateau)
    last = max(float(band.steps.max()) for band in bands.values())
    entries = [len(arms) + 2 for arms in shown.values()]
    places = sheet([0.3 + PLOT_HEIGHT + 0.5 + legend_height(count) for count in entries], columns)
    for place, (title, arms) in zip(places, shown.items(), strict=True):
        axes = place.axes(0.58, 0.3, PANEL_WIDTH - 0.73, PLOT_HEIGHT)
        axes.set(xlim=(0, last or 1.0), ylim=limits, xlabel="step", title=title)
        axes.set_ylabel("-ELBO on validation, nats", labelpad=2)
        handles = _lines(axes, bands, arms)
        line = axes.axhline(plateau, color="black", linestyle=(0, (4, 3)), linewidth=0.9, label="plateau")
        place.legend(0.3 + PLOT_HEIGHT + 0.48, [*handles, line])
    return places[0].figure


def _limits(bands: Bands, plateau: float) -> tuple[float, float]:
    """From below the best arm to above the plateau: a start far above it would press all else flat."""
    lows = [low for band in bands.values() if math.isfinite(low := float(np.nanmin(band.low)))]
    ends = [end for band in bands.values() if math.isfinite(end := float(band.mean[-1]))]
    low, high = min([plateau, *lows]), max([plateau, *ends])
    span = max(high - low, 0.05 * abs(plateau), 0.1)
    return low - 0.06 * span, high + 0.3 * span


def _lines(axes: Axes, bands: Bands, arms: list[str]) -> list[Artist]:
    """Draw a panel's arms; its legend's lines from the highest end to the lowest, as they lie in the plot."""
    looks = styles(arms)
    handles: list[tuple[float, Artist]] = []
    for number, (arm, style) in enumerate(looks.items()):
        if arm not in bands:
            continue
        band = bands[arm]
        axes.fill_between(band.steps, band.low, band.high, color=style.colour, alpha=0.18, linewidth=0)
        every = max(1, len(band.steps) // 6)
        axes.plot(
            band.steps, band.mean, color=style.colour,
            # One reading alone makes no line.
            marker=style.marker or ("o" if np.isfinite(band.mean).sum() == 1 else ""),
            # Markers of lines that lie on each other fall on different steps.
            markevery=(number % every, every), linewidth=2.2 if arm == REFERENCE else 1.5,
        )  # fmt: skip
        end = float(band.mean[-1])
        label = arm if math.isfinite(end) else f"{arm} (a seed diverged)"
        handles.append((
            end if math.isfinite(end) else math.inf,
            Line2D([], [], color=style.colour, marker=style.marker, label=label),
        ))  # fmt: skip
    return [handle for _, handle in sorted(handles, key=lambda pair: -pair[0])]
