"""A model's layers from data to output: gradient and signal at each, and what comes back without each block."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.report.plots.gradient import FLOOR
from bench.report.plots.panels import COLOURS, MARKERS
from bench.report.plots.sheet import PANEL_WIDTH, legend_height, sheet, styled

if TYPE_CHECKING:
    # What is diagnosed imports jax; what is drawn does not.
    from vae_jax.diagnosis.layers.readings import Layer

PLOT_HEIGHT = 2.0
CEILING = 1e20
_LONGEST_NAME = 18


@styled
def layer_profile(layers: Sequence["Layer"], blamed: str = "") -> Figure:
    """Panels over the layers in the order of the signal: gradient, signal, and what comes back without each block.

    Args:
        layers: A diagnosis's.
        blamed: Name of the block to blame, which is marked; empty for none.

    Returns:
        The figure; one panel more for each recurrence: its gradient over time.
    """
    names = [
        layer.name if len(layer.name) <= _LONGEST_NAME else f"…{layer.name[1 - _LONGEST_NAME :]}" for layer in layers
    ]
    tail = 0.075 * max(map(len, names)) + 0.15
    recurrent = [layer for layer in layers if layer.over_time]
    panels = [
        ("gradient", "root mean square", {
            "dL/dh": [layer.hidden_gradient for layer in layers],
            "dL/dW": [layer.weight_gradient for layer in layers],
        }),
        ("signal", "mean square", {"q, mean square of h": [layer.mean_square for layer in layers]}),
        ("likeness", "mean cosine", {"c, mean cosine between examples": [layer.mean_cosine for layer in layers]}),
        ("at the first layer without this block", "times more", {
            "its backward Jacobian the identity": [layer.backward_factor for layer in layers],
        }),
    ]  # fmt: skip
    # Of a gradient that arrives nobody has asked what comes back without a block.
    panels = [panel for panel in panels if any(value is not None for line in panel[2].values() for value in line)]
    heights = [0.35 + PLOT_HEIGHT + tail + 0.1 + legend_height(3 if blamed else 2)] * len(panels)
    places = sheet(heights + [0.35 + PLOT_HEIGHT + 0.5] * len(recurrent), 2)
    for place, (title, label, lines) in zip(places, panels, strict=False):
        # A cosine may be negative, and lies within 1.
        linear = title == "likeness"
        axes = place.axes(0.62, 0.35, PANEL_WIDTH - 0.82, PLOT_HEIGHT, yscale="linear" if linear else "log")
        handles = [_line(axes, values, index, name, linear) for index, (name, values) in enumerate(lines.items())]
        axes.set_title(title, pad=6)
        axes.set_ylabel(label, labelpad=1)
        _shown(axes, linear)
        places_of_names = _some(len(names))
        axes.set_xticks(places_of_names, [names[index] for index in places_of_names], rotation=90, fontsize=7.5)
        axes.set_xlim(-0.5, len(names) - 0.5)
        if blamed in {layer.name for layer in layers}:
            index = [layer.name for layer in layers].index(blamed)
            axes.axvspan(index - 0.5, index + 0.5, color="#f6c9b3", zorder=0, linewidth=0)
            handles.append(Line2D([], [], color="#f6c9b3", linewidth=6, label=f"to blame: {blamed}"))
        place.legend(0.35 + PLOT_HEIGHT + tail + 0.1, handles)
    for place, layer in zip(places[len(panels) :], recurrent, strict=True):
        axes = place.axes(0.62, 0.35, PANEL_WIDTH - 0.82, PLOT_HEIGHT, yscale="log")
        _line(axes, list(layer.over_time), 0, "dL/d(state)", False)
        axes.set_title(f"{layer.name} over time", pad=6)
        axes.set_ylabel("rms dL/d(state)", labelpad=1)
        axes.set_xlabel("step")
        _shown(axes, False)
    return places[0].figure


def _line(axes: Axes, values: Sequence[float | None], index: int, label: str, linear: bool) -> Line2D:
    """One line; what cannot be told is a gap, and what a logarithm cannot show lies on the floor or the ceiling."""
    drawn = np.asarray([math.nan if value is None else value for value in values], float)
    drawn = drawn if linear else np.where(np.isnan(drawn), drawn, np.clip(drawn, FLOOR, CEILING))
    (line,) = axes.plot(
        np.arange(len(drawn)), drawn, color=COLOURS[index], marker=MARKERS[index], markersize=3.5, label=label
    )
    return line


def _shown(axes: Axes, linear: bool) -> None:
    low, high = axes.get_ylim()
    if not linear:
        # At least a decade around what is drawn: a flat line is flat, and not stretched to noise.
        axes.set_ylim(min(low, high / 10), max(high, low * 10))
        axes.minorticks_off()
    else:
        axes.set_ylim(min(low, 0.0), max(high, 1.05))


def _some(count: int) -> list[int]:
    """Places of at most 24 names, the first and the last among them."""
    return sorted({round(index) for index in np.linspace(0, count - 1, min(count, 24))})
