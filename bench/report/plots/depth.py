"""Gradient norm over depth, at initialisation and at the end."""

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator

from bench.report.plots.gradient import Gradients, decades, hidden_gradients
from bench.report.plots.panels import REFERENCE, TITLE_LINE, Looks, fold_title, panels, title_lines
from bench.report.plots.sheet import PANEL_WIDTH, legend_height, sheet
from bench.results.plot import plot
from bench.results.results import Results

PLOT_HEIGHT = 2.0
THEORY: dict[str, Any] = {"color": "#222222", "linewidth": 0.8, "linestyle": (0, (2, 2))}


@plot(
    title="Gradient norm over depth", needs=("hidden_gradient",),
    caption="Look for lines that fall towards the left: that gradient vanishes on its way back. Layers in the order of "
    "the signal, from data through z to data where there is a z, of a recurrent tower one for each step; the median "
    "over seeds at the first and at the last recorded step, on one scale. Below 1e-20, and 0, is drawn at 1e-20. "
    "Dashed: mean-field theory, from the last layer of each tower backwards.",
)  # fmt: skip
def gradient_over_depth(results: Results) -> list[Figure]:
    """Rms dL/dh at every hidden layer from data through z to data, at the first and at the last recorded step: a figure
    for each panel of arms, all on one scale.
    """
    gradients = hidden_gradients(results)
    return [_panel(title, looks, gradients) for title, looks in panels(results.summary, gradients).items()]


def _panel(title: str, looks: Looks, gradients: Gradients) -> Figure:
    low, high = decades(gradients)
    top = 0.52 + TITLE_LINE * title_lines(title)
    (place,) = sheet([top + PLOT_HEIGHT + 0.5 + legend_height(len(looks) + 1)], 1)
    width = (PANEL_WIDTH - 0.62 - 0.2) / 2
    handles: list[Artist] = []
    for side, (moment, column) in enumerate({"initialisation": 0, "end": -1}.items()):
        axes = place.axes(0.62 + side * (width + 0.1), top, width, PLOT_HEIGHT, yscale="log")
        handles = _lines(axes, gradients, looks, column)
        axes.set_ylim(10.0**low, 10.0**high)
        axes.yaxis.set_major_locator(LogLocator(numticks=8))
        axes.minorticks_off()
        axes.text(0.0, 1.03, moment, transform=axes.transAxes, color="#444444")
        if side == 0:
            axes.set_ylabel("rms dL/dh", labelpad=1)
            axes.set_title(fold_title(title), pad=17)
        else:
            axes.tick_params(axis="y", labelleft=False, length=0)
    place.legend(top + PLOT_HEIGHT + 0.42, handles)
    return place.figure


def _lines(axes: Axes, gradients: Gradients, looks: Looks, column: int) -> list[Artist]:
    handles: list[Artist] = []
    for arm, style in looks.items():
        gradient = gradients[arm]
        finite = gradient.values[:, np.isfinite(gradient.values).any(axis=0)]
        places = (gradient.edges[:-1] + gradient.edges[1:]) / 2
        # A line to a stack, as z lies between: two stacks' neighbouring layers are not one layer apart.
        for index in range(len(gradient.stacks)):
            stack = (places > index) & (places < index + 1)
            axes.plot(places[stack], finite[stack, column], color=style.colour, marker=style.marker, markevery=3,
                      markersize=3.5, linewidth=2.2 if arm == REFERENCE else 1.3)  # fmt: skip
            if column == 0:
                axes.plot(places[stack], gradient.predicted[stack], **THEORY, zorder=3)
        handles.append(Line2D([], [], color=style.colour, marker=style.marker, label=arm))
    if any(np.isfinite(gradients[arm].predicted).any() for arm in looks):
        handles.append(Line2D([], [], **THEORY, label="theory"))
    example = next(iter(gradients.values()))
    count = len(example.stacks)
    for index in range(1, count):
        axes.axvline(index, color="#444444", linewidth=0.7)
    axes.set_xlim(0, count)
    axes.set_xticks(range(count + 1), example.between)
    first, *_, last = axes.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")
    for index, stack in enumerate(example.stacks):
        axes.text((index + 0.5) / count, -0.16, stack, transform=axes.transAxes, ha="center", va="center",
                  color="#444444")  # fmt: skip
    return handles
