"""What the start foretells: areas under the curve, of each instrument, and in each kind of workload."""

import math

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.report.plots.sheet import PANEL_WIDTH, legend_height, sheet
from bench.results.foretelling.foretell import Foretold, foretell
from bench.results.foretelling.networks import SHARES, heading
from bench.results.plot import plot
from bench.results.results import Results

LINE = 0.24
LABELS = 1.7
_COLOURS = ("#08519c", "#6baed6", "#fd8d3c")


@plot(
    title="How well each reading foretells who leaves the plateau", of_all=True, layout="scroll card-box",
    caption="The area under the curve within kinds of workload, bases and optimizers, with intervals by resampling "
    "structures. At 1 the reading puts every network that leaves before every one that stays, at 0.5 it tells nothing, "
    "below it tells the contrary of what was expected. Of several kinds and optimizers a map shows each, at the first "
    "step; a gap is where all left, or none.",
)  # fmt: skip
def areas_under_the_curve(results: Results) -> list[Figure]:
    """Of each instrument the areas at the start and soon after; of several kinds and optimizers a map of them."""
    found = results.once(foretell).foretold
    groups = list(dict.fromkeys(group for each in found for group in each.by_group))
    return ([_areas(found)] if found else []) + ([_map(found, groups)] if len(groups) > 1 else [])


def _areas(found: tuple[Foretold, ...]) -> Figure:
    height = LINE * len(found)
    (place,) = sheet([0.15 + height + 0.5 + legend_height(len(SHARES))], 1)
    axes = place.axes(LABELS, 0.15, PANEL_WIDTH - LABELS - 0.15, height)
    handles = []
    for number, (share, colour) in enumerate(zip(SHARES, _COLOURS, strict=True)):
        rows = [row + 0.22 * (number - 1) for row in range(len(found))]
        for row, each in zip(rows, found, strict=True):
            _, low, high = each.areas[number]
            axes.plot([low, high], [row, row], color=colour, linewidth=1.2)
        axes.plot([each.areas[number].mean for each in found], rows, "o", color=colour, linestyle="")
        handles.append(Line2D([], [], color=colour, marker="o", label=heading(share)))
    axes.axvline(0.5, color="black", linestyle=(0, (4, 3)), linewidth=0.9)
    axes.set(xlim=(-0.02, 1.02), ylim=(len(found) - 0.4, -0.6), xlabel="area under the curve")
    axes.set_yticks(range(len(found)), [each.instrument for each in found])
    place.legend(0.15 + height + 0.48, handles)
    return place.figure


def _map(found: tuple[Foretold, ...], groups: list[str]) -> Figure:
    height, width = LINE * len(found), 0.42 * len(groups)
    (place,) = sheet([1.5 + height + 0.1], 1, max(PANEL_WIDTH, LABELS + width + 0.9))
    axes = place.axes(LABELS, 1.5, width, height)
    areas = np.array([[each.by_group[group].mean if group in each.by_group else math.nan for group in groups]
                      for each in found])  # fmt: skip
    axes.imshow(np.ma.masked_invalid(areas), cmap="RdBu", vmin=0, vmax=1, aspect="auto")
    axes.grid(False)
    axes.xaxis.tick_top()
    axes.set_xticks(range(len(groups)), groups, rotation=40, ha="left")
    axes.set_yticks(range(len(found)), [each.instrument for each in found])
    for row, column in zip(*np.nonzero(np.isfinite(areas)), strict=True):
        area = areas[row, column]
        axes.text(column, row, f"{area:.2f}", ha="center", va="center", fontsize=7,
                  color="white" if abs(area - 0.5) > 0.35 else "black")  # fmt: skip
    return place.figure
