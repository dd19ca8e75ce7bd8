"""The score over the steps of training, on validation."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from bench.report.plots.panels import REFERENCE, TITLE_LINE, Looks, fold_title, panels, title_lines
from bench.report.plots.sheet import PANEL_WIDTH, legend_height, sheet
from bench.results.plot import plot
from bench.results.results import Results
from bench.results.tables import holds

PLOT_HEIGHT = 2.1


class Band(NamedTuple):
    """One arm's score on validation over its reporting seeds, at each step; no mean from where a seed diverged."""

    steps: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


Bands = dict[str, Band]


def validation_bands(curves: pd.DataFrame) -> Bands:
    """The band of each arm of which any reading is finite."""
    rows = curves.loc[(curves["split"] == "validation") & (curves["phase"] == "reporting")]
    rows = rows.assign(value=rows["value"].where(np.isfinite(rows["value"])))
    by_step = rows.groupby(["arm", "step"])["value"]
    low, high, mean, finite = by_step.min(), by_step.max(), by_step.mean(), by_step.count()
    # A seed that diverged has no readings any more, and a mean of the others would not be the arm's.
    seeds = rows.groupby("arm")["seed"].nunique()
    mean = mean.where(finite == seeds.reindex(finite.index, level="arm"))
    bands: Bands = {}
    for arm in rows["arm"].unique():
        if finite[arm].any():
            parts = (mean[arm], low[arm], high[arm])
            bands[str(arm)] = Band(finite[arm].index.to_numpy(), *(part.to_numpy(dtype=float) for part in parts))
    return bands


@plot(
    title="{score} over steps", needs=("score",),
    caption="Look for lines that fall below the dashed plateau, and when they do: it is what a model reaches that "
    "ignores z or has learnt nothing. Of text a decoder goes below it without z, and the table says what z is worth. "
    "Mean over seeds on validation; the band spans the lowest to the highest seed. All panels share one scale, and "
    "what starts above it is cut. A line ends where a seed diverged.",
)  # fmt: skip
def score_over_steps(results: Results) -> list[Figure]:
    """Mean score on validation over steps, with a band from the lowest to the highest seed: a figure for each panel of
    arms, all on one scale.
    """
    bands, table = validation_bands(results.curves(["score"])), results.summary
    plateaus = list(table["plateau_validation"].dropna().unique())
    # An arm that needs no code lies far below all others, and would press them flat.
    past = set(table["arm"][holds(table, "past_z")])
    limits = _limits({arm: band for arm, band in bands.items() if arm not in past}, plateaus)
    last = max((float(band.steps.max()) for band in bands.values()), default=0.0)
    label = results.score.said("{score}, {unit}")
    return [_panel(title, looks, bands, plateaus, limits, last, label) for title, looks in panels(table, bands).items()]


def _panel(
    title: str, looks: Looks, bands: Bands, plateaus: list[float], limits: tuple[float, float], last: float,
    label: str,
) -> Figure:  # fmt: skip
    lines = fold_title(title)
    top = 0.3 + TITLE_LINE * title_lines(title)
    (place,) = sheet([top + PLOT_HEIGHT + 0.5 + legend_height(len(looks) + 1)], 1)
    axes = place.axes(0.58, top, PANEL_WIDTH - 0.73, PLOT_HEIGHT)
    axes.set(xlim=(0, last or 1.0), ylim=limits, xlabel="step", title=lines)
    # So few that those of a long training stand apart.
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylabel(label, labelpad=2)
    handles = _lines(axes, bands, looks)
    for plateau in plateaus:
        line = axes.axhline(plateau, color="black", linestyle=(0, (4, 3)), linewidth=0.9, label="plateau")
        handles = [*handles, line]
    place.legend(top + PLOT_HEIGHT + 0.48, handles)
    return place.figure


def _limits(bands: Bands, plateaus: list[float]) -> tuple[float, float]:
    """From below the best arm to above the plateau: a start far above it would press all else flat."""
    lows = [low for band in bands.values() if math.isfinite(low := float(np.nanmin(band.low)))]
    ends = [end for band in bands.values() if math.isfinite(end := float(band.mean[-1]))]
    low, high = min([*plateaus, *lows], default=0.0), max([*plateaus, *ends], default=1.0)
    span = max(high - low, 0.05 * abs(max(plateaus, default=0.0)), 0.1)
    return low - 0.06 * span, high + 0.3 * span


def _lines(axes: Axes, bands: Bands, looks: Looks) -> list[Artist]:
    """Draw a panel's arms; its legend's lines from the highest end to the lowest, as they lie in the plot."""
    handles: list[tuple[float, Artist]] = []
    for number, (arm, style) in enumerate(looks.items()):
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
