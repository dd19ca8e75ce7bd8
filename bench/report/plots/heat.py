"""A heat map for each arm: log10 gradient norm, layer by step, all on one colour scale."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from bench.report.plots.gradient import HiddenGradient, decades, hidden_gradients
from bench.report.plots.sheet import sheet
from bench.results.plot import plot
from bench.results.results import Results

TILE_WIDTH, TILE_HEIGHT = 2.1, 1.7
COLOUR_MAP = "viridis"
NOTHING = "#d9d9d9"


@plot(
    title="Gradient norm by layer and step", needs=("hidden_gradient",), columns=5, layout="tiles",
    caption="Look for rows that stay dark: layers that no gradient reaches. Each tile is one arm, layers from data "
    "(top) through z (white line) to data, the median over seeds, on one colour scale.",
)  # fmt: skip
def gradient_heat_maps(results: Results) -> list[Figure]:
    """Log10 rms dL/dh by layer and step, from data (top) through z to data, the median over the reporting seeds: the
    colour scale, and a figure for each arm.
    """
    gradients = hidden_gradients(results)
    if not gradients:
        return []
    lowest, highest = decades(gradients)
    norm = Normalize(lowest, highest)
    (scale,) = sheet([TILE_HEIGHT], 1, TILE_WIDTH)
    _bar(scale.axes(0.2, 0.75, TILE_WIDTH - 0.4, 0.16), norm)
    figures = [scale.figure]
    for arm, gradient in gradients.items():
        (place,) = sheet([TILE_HEIGHT], 1, TILE_WIDTH)
        axes = place.axes(0.5, 0.34, TILE_WIDTH - 0.6, TILE_HEIGHT - 0.66)
        _tile(axes, gradient, norm, lowest)
        axes.set_title(_folded(arm), fontsize=7.5 if len(arm) > 22 else 8.5, x=-0.3, pad=3)
        figures.append(place.figure)
    return figures


def _tile(axes: Axes, gradient: HiddenGradient, norm: Normalize, lowest: float) -> None:
    steps = gradient.steps.astype(float)
    # Each reading stands until the next one; the last as long as the one before it.
    edges = np.append(steps, steps[-1] + (np.median(np.diff(steps)) if len(steps) > 1 else 1.0))
    axes.grid(False)
    axes.set_facecolor(NOTHING)
    # No gradient at all is the darkest there is; grey is left for what is not a number.
    with np.errstate(divide="ignore"):
        logarithms = np.maximum(np.log10(gradient.values), lowest)
    # A mesh is thousands of rectangles: as pixels it is a few kilobytes, and text and axes stay vectors.
    axes.pcolormesh(
        edges, gradient.edges, np.ma.masked_invalid(logarithms),
        cmap=COLOUR_MAP, norm=norm, rasterized=True,
    )  # fmt: skip
    count = len(gradient.stacks)
    for index in range(1, count):
        axes.axhline(index, color="white", linewidth=1.2)
    axes.set_ylim(count, 0)
    axes.set_yticks(range(count + 1), gradient.between)
    # Inside the tile's height: above it stands the title.
    first, *_, last = axes.get_yticklabels()
    first.set_verticalalignment("top")
    last.set_verticalalignment("bottom")
    axes.set_xticks([steps[0], edges[-1]], [f"{steps[0]:.0f}", f"{steps[-1]:.0f}"])
    for label, side in zip(axes.get_xticklabels(), ("left", "right"), strict=True):
        label.set_horizontalalignment(side)
    axes.set_xlabel("step", labelpad=-8)


def _bar(axes: Axes, norm: Normalize) -> None:
    figure = axes.figure
    bar = figure.colorbar(ScalarMappable(norm, COLOUR_MAP), cax=axes, orientation="horizontal")
    bar.set_label("log10 rms dL/dh\n(grey: not finite)")
    bar.outline.set_linewidth(0.5)  # pyright: ignore[reportCallIssue]


def _folded(arm: str, width: int = 26) -> str:
    """A long composition on two lines, broken at a plus."""
    if len(arm) <= width or "+" not in arm:
        return arm
    places = [place for place, letter in enumerate(arm) if letter == "+"]
    middle = min(places, key=lambda place: abs(place - len(arm) / 2))
    return f"{arm[: middle + 1]}\n{arm[middle + 1 :]}"
