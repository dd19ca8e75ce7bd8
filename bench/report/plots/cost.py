"""What a remedy gains against what it costs: nats below the plateau over the time of a step."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter

from bench.report.plots.labels import LINED, place_labels, spread
from bench.results.judging.score import Score
from bench.results.judging.statistics import CONFIDENCE
from bench.results.plot import plot
from bench.results.results import Results
from bench.results.tables import holds, mostly_left

SIZE = (9.2, 6.2)
# None of the colours that tell arms apart in the other plots.
LEFT, STAYED, LEADER, FRONT = "#222222", "#7a7a7a", "#9a9a9a", "#b8860b"
GAP = 5.0
"""Points between a dot and its name."""

SLANT = math.radians(45)

NAMED_AT_MOST = 40
"""Of more arms than this only the bases are named, and those off the plateau that no other beats in both."""


BELOW = 0.3
"""As a share of the largest gain: how far below the plateau the plot goes; what lies further would press all flat."""


class Points(NamedTuple):
    """The arms that are drawn: slowdown, gain, half an interval, whether each left the plateau and is named."""

    x: np.ndarray
    y: np.ndarray
    half: np.ndarray
    left: np.ndarray
    named: np.ndarray


@plot(
    title="What is gained, and what it costs", columns=1, layout="scroll card-box",
    caption=f"Look to the upper left: better and cheaper. On the stepped line, the Pareto front, lie the arms that no "
    f"other beats in both. Bars are {CONFIDENCE:.0%} intervals over seeds. Filled points have left the plateau in more "
    "than half of the seeds, hollow ones have not; triangles at the lower edge lie further below. Of many arms only "
    "the bases and the front are named. An arm that needs no code is not drawn.",
)  # fmt: skip
def gain_against_slowdown(results: Results) -> Figure | None:
    """Each arm's gain on test with its interval, against the time of its step over the baseline's.

    Both were timed in turns: examples per second would tell as much of the machine's hour as of the arm. Not drawn are
    arms without a gain or a timing, and those that know x past z.
    """
    summary = results.summary
    drawn = summary.loc[~holds(summary, "past_z")].dropna(subset=["gain", "slowdown"])
    return None if drawn.empty else _against(drawn, results.score)


def _against(drawn: pd.DataFrame, score: Score) -> Figure:
    x, y, high = (drawn[name].to_numpy(float) for name in ("slowdown", "gain", "gain_high"))
    left = mostly_left(drawn).to_numpy()
    front = left & unbeaten(x, y)
    named = np.full(len(x), len(drawn) <= NAMED_AT_MOST) | (drawn["family"] == "base").to_numpy() | front
    half, beyond = np.nan_to_num(high - y), y < (-BELOW * y.max() if left.any() else -math.inf)
    points = Points(x, np.where(beyond, -BELOW * y.max(), y), np.where(beyond, 0, half), left, named)
    figure = Figure(figsize=SIZE)
    axes = figure.add_axes((0.07, 0.085, 0.865, 0.895))
    axes.set(xlabel="time of a step over the baseline's (left is cheaper)",
             ylabel=score.said("gain on test: {unit} below the plateau (up is better)"))  # fmt: skip
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.2g}x"))
    axes.axhline(0, color="black", linestyle=(0, (4, 3)), linewidth=0.9)
    axes.annotate("plateau", (1, 0), xycoords=("axes fraction", "data"), xytext=(3, 0), va="center",
                  textcoords="offset points")  # fmt: skip
    kinds = ((left & ~beyond, LEFT, LEFT, "o"), (~left & ~beyond, STAYED, "white", "o"), (beyond, STAYED, "white", "v"))
    for chosen, colour, fill, marker in kinds:
        if not chosen.any():
            continue
        axes.errorbar(points.x[chosen], points.y[chosen], points.half[chosen], fmt=marker, color=colour, mfc=fill,
                      capsize=2, elinewidth=1, markersize=5.5)  # fmt: skip
    texts = [
        axes.text(0, 0, arm if name else "", fontsize=8) for arm, name in zip(drawn["arm"], points.named, strict=True)
    ]
    renderer = FigureCanvasAgg(figure).get_renderer()
    extents = [text.get_window_extent(renderer) for text in texts]
    sizes = np.array([(extent.width, extent.height) for extent in extents])
    base = _limits(axes, points, sizes)
    lines = _draw_front(axes, x[front], y[front])
    _name_crowd(axes, points, texts, sizes, base)
    _name_others(axes, points, texts, sizes, base, lines)
    return figure


def _draw_front(axes: Axes, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What can be had at each price; returns the boxes that its lines take, in pixels."""
    if not len(x):
        return np.empty((0, 4))
    order = np.lexsort((y, x))
    corners = np.repeat(np.column_stack([x, y])[order], 2, axis=0)[1:]
    corners[1::2, 1] = corners[:-1:2, 1]
    corners = np.vstack([corners, (axes.get_xlim()[1], y.max())])
    axes.plot(*corners.T, color=FRONT, linewidth=1.2, zorder=0.8, label="Pareto front")
    ends = axes.transData.transform(corners)
    thick = axes.figure.dpi / 72
    return np.hstack([np.minimum(ends[:-1], ends[1:]) - thick, np.maximum(ends[:-1], ends[1:]) + thick])


def unbeaten(cost: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Which points have no other that costs as little and gains as much, and differs in one of both."""
    return np.array([
        not ((cost <= low) & (gain >= high) & ((cost < low) | (gain > high))).any()
        for low, high in zip(cost, gain, strict=True)
    ])  # fmt: skip


def _limits(axes: Axes, points: Points, sizes: np.ndarray) -> float:
    """Leave room for the names at the sides, and below for those of the crowd; returns where their row begins."""
    width = max(np.ptp(points.x), 0.2 * points.x.max())
    low, high = min((points.y - points.half).min(), 0.0), max((points.y + points.half).max(), 0.0)
    high += 0.08 * max(high - low, 0.1)
    axes.set_xlim(max(0, points.x.min() - 0.12 * width), points.x.max() + 0.14 * width)
    inches = axes.get_position().height * SIZE[1] * axes.figure.dpi
    crowd = sizes[~points.left & points.named]
    below = (0.35 * axes.figure.dpi + crowd[:, 0].max() * math.sin(SLANT) + crowd[:, 1].max()) if len(crowd) else 0
    below = max(below, 0.06 * inches)
    axes.set_ylim(high - (high - low) / (1 - below / inches), high)
    axes.set_yticks([tick for tick in axes.get_yticks() if low <= tick <= high])
    return float(axes.transData.transform((0, low))[1] - 0.28 * axes.figure.dpi)


def _name_crowd(axes: Axes, points: Points, texts: list[Text], sizes: np.ndarray, base: float) -> None:
    """The arms on the plateau lie in one line: their names stand aslant below it, in the same order."""
    crowd = np.flatnonzero(~points.left & points.named)
    if not len(crowd):
        return
    dot = axes.figure.dpi / 72
    places = axes.transData.transform(np.column_stack([points.x, points.y])[crowd])
    edge = axes.figure.bbox.x1 - sizes[crowd, 0] * math.cos(SLANT) - 2 * dot
    spacing = 1.2 * float(sizes[crowd, 1].max()) / math.sin(SLANT)
    across = spread(places[:, 0], spacing, axes.bbox.x0 + 4 * dot, edge)
    for index, place, x in zip(crowd, places, across, strict=True):
        start, end = axes.transData.inverted().transform([(place[0], place[1] - 4 * dot), (x, base)])
        axes.plot(*zip(start, end, strict=True), color=LEADER, linewidth=0.6, zorder=0.9)
        texts[index].set(position=tuple(end), rotation=-math.degrees(SLANT), rotation_mode="anchor", va="top")


def _name_others(
    axes: Axes, points: Points, texts: list[Text], sizes: np.ndarray, base: float, lines: np.ndarray
) -> None:
    """The other names stand beside their points, with a thin line where one had to move away."""
    others = np.flatnonzero(points.left & points.named)
    if not len(others):
        return
    dot = axes.figure.dpi / 72
    places = axes.transData.transform(np.column_stack([points.x, points.y]))
    bars = axes.transData.transform(np.column_stack([points.x, points.y + points.half]))[:, 1] - places[:, 1]
    reach = np.column_stack([np.full(len(places), 4 * dot), np.maximum(bars, 4 * dot)])
    x0, _, x1, y1 = axes.bbox.extents
    line = axes.transData.transform((0, 0))[1]
    obstacles = np.vstack([np.hstack([places - reach, places + reach]), (x0, line - dot, x1, line + dot), lines])
    within = (x0 + 2 * dot, base, x1 - 2 * dot, y1 - 2 * dot)
    boxes = place_labels(places[others], np.add(sizes[others], (3 * dot, 2 * dot)), within, obstacles, gap=GAP * dot)
    back = axes.transData.inverted()
    for index, box in zip(others, boxes, strict=True):
        texts[index].set(position=tuple(back.transform((box[:2] + box[2:]) / 2)), ha="center", va="center")
        near = np.clip(places[index], box[:2], box[2:])
        if math.hypot(*(near - places[index])) > LINED * GAP * dot:
            start, end = back.transform([places[index], near])
            axes.plot(*zip(start, end, strict=True), color=LEADER, linewidth=0.6, zorder=0.9)
