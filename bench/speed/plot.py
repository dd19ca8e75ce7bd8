"""The measured ratios in one picture: how cost grows, and how it stands to its goals."""

import functools
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bench.report.plots.panels import COLOURS
from bench.report.plots.sheet import PANEL_WIDTH, Panel, styled
from bench.speed.timing import RATIO

OVER, UNDER, THIRD = COLOURS[:3]
GOAL, GREY = "black", "#7a7a7a"
BAR = 0.26
"""Inches from one bar to the next."""

LABELS = 4.0
"""Inches for the questions beside the bars."""


@styled
def speed_plot(table: pd.DataFrame) -> Figure:
    """Milliseconds per step and the ratio to the bare matrix products over depth and width, lanes, and bars with goals.

    Args:
        table: All rows, as `completed` gives them; ratios are drawn, and what was not measured has no panel.
    """
    table = table.loc[table["unit"] == RATIO]
    shape, lanes = (table.loc[table["group"] == group] for group in ("shape", "lanes"))
    judged = table.loc[table["goal_at_most"].notna() | table["goal_at_least"].notna() | (table["group"] == "scan")]
    # The rows of peers without a goal, as two processes, belong to the peers all the same.
    others = table.loc[(table["group"] == "suite") & table["goal_at_least"].isna()]
    peers = pd.concat([judged.loc[judged["goal_at_least"].notna()], others]).sort_index()
    kinds = [
        ("peers over this suite: more is better", peers),
        ("cost: less is better", judged.loc[judged["goal_at_least"].isna()]),
    ]
    kinds = [(title, rows, len(rows) * BAR) for title, rows in kinds if len(rows)]
    curves: list[Callable[[Panel], None]] = []
    if len(shape):
        for by, held, at, unit in (
            ("depth", "width", 64, "blocks in each tower"),
            ("width", "depth", 8, "units in a layer"),
        ):
            rows = shape.loc[shape[held] == at].sort_values(by)
            curves.append(functools.partial(_growth, rows=rows, by=by, unit=unit))
    if len(lanes):
        curves.append(functools.partial(_lanes, rows=lanes.sort_values("lanes")))
    top = 3.75 if curves else 0.35
    columns = 3 if kinds else max(len(curves), 1)
    figure = Figure(figsize=(columns * PANEL_WIDTH, top + sum(height + 0.85 for *_, height in kinds)))
    for index, draw in enumerate(curves):
        draw(Panel(figure, index * PANEL_WIDTH, 0.0))
    for title, rows, height in kinds:
        axes = Panel(figure, 0.0, top).axes(LABELS, 0.3, 3 * PANEL_WIDTH - LABELS - 0.5, height)
        _bars(axes, title, rows)
        top += height + 0.85
    return figure


def _growth(place: Panel, rows: pd.DataFrame, by: str, unit: str) -> None:
    """Above, milliseconds per step; below, their ratio to those of the bare products."""
    sizes = rows[by].to_numpy(float)
    upper, lower = place.axes(0.62, 0.35, PANEL_WIDTH - 0.85, 1.7), place.axes(0.62, 2.2, PANEL_WIDTH - 0.85, 0.85)
    upper.set_title(f"a step by {by}")
    upper.set(xscale="log", yscale="log", ylabel="ms per step")
    lower.set(xscale="log", ylabel="ratio", xlabel=f"{unit} ({'width 64' if by == 'depth' else 'depth 8'})")
    for side, colour, label in (("over", OVER, "training step"), ("under", UNDER, "its matrix products")):
        upper.plot(sizes, rows[f"{side}_milliseconds_per_step"], color=colour, marker="o", label=label)
    lower.plot(sizes, rows["value"], color=GREY, marker="o")
    lower.axhline(1, color=GOAL, linewidth=0.8)
    if len(rows):
        upper.legend(frameon=False, loc="upper left")
        lower.set_ylim(0, 1.35 * rows["value"].to_numpy(float).max())
        _annotate(lower, sizes, rows["value"].to_numpy(float))
    for axes in (upper, lower):
        _ticks(axes, sizes)
    upper.tick_params(axis="x", labelbottom=False)
    upper.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _lanes(place: Panel, rows: pd.DataFrame) -> None:
    axes = place.axes(0.62, 0.35, PANEL_WIDTH - 0.85, 2.7)
    lanes = rows["lanes"].to_numpy(float)
    axes.set_title("trainings side by side")
    axes.set(xscale="log", xlabel="lanes (depth 8, width 64)", ylabel="trainings a second over one alone")
    bars = np.abs(rows[["low", "high"]].to_numpy(float) - rows[["value"]].to_numpy(float)).T
    axes.errorbar(lanes, rows["value"], bars, color=OVER, marker="o", capsize=2, elinewidth=1)
    axes.axhline(1, color=GOAL, linewidth=0.8)
    highest = max([1.0, *rows["high"].astype(float)])
    axes.set_ylim(0, 1.25 * highest)
    if highest > 4:
        axes.set(yscale="log", ylim=(0.5, 2 * highest))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    _annotate(axes, lanes, rows["value"].to_numpy(float))
    _ticks(axes, lanes)


def _annotate(axes: Axes, sizes: np.ndarray, ratios: np.ndarray) -> None:
    for size, ratio in zip(sizes, ratios, strict=True):
        said = f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"
        axes.annotate(said, (size, ratio), (0, 4), textcoords="offset points", ha="center", fontsize=7.5)


def _ticks(axes: Axes, sizes: np.ndarray) -> None:
    if len(sizes):
        axes.xaxis.set_major_locator(FixedLocator(sizes.tolist()))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        # A single size has no room on a logarithmic axis of its own.
        axes.set_xlim(sizes.min() / 1.4, sizes.max() * 1.4)
    axes.xaxis.set_minor_locator(NullLocator())


def _bars(axes: Axes, title: str, rows: pd.DataFrame) -> None:
    """A bar to a question with its quartiles; a black stroke where its goal is."""
    places = np.arange(len(rows))
    ratios = rows["value"].to_numpy(float)
    spread = np.abs(rows[["low", "high"]].to_numpy(float) - ratios[:, None]).T
    axes.barh(places, ratios, 0.62, xerr=spread, color=_colours(rows["group"].tolist()), error_kw={"elinewidth": 1})
    goals = rows["goal_at_least"].fillna(rows["goal_at_most"]).to_numpy(float)
    axes.vlines(goals, places - 0.42, places + 0.42, color=GOAL, linewidth=2)
    least = rows["goal_at_least"].notna()
    ends = np.fmax(rows["high"].to_numpy(float), goals)
    for place, ratio, goal, is_least, end in zip(places, ratios, goals, least, ends, strict=True):
        said = "" if np.isnan(goal) else f", goal at {'least' if is_least else 'most'} {goal:g}"
        axes.annotate(f"{ratio:.2f}{said}", (end, place), (4, 0), textcoords="offset points", va="center", fontsize=7.5)
    axes.axvline(1, color=GOAL, linewidth=0.8)
    axes.set_yticks(places, rows["question"].tolist())
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.set_xlim(0, 1.25 * max(ends.max() if len(ends) else 1, 1))
    axes.set_title(title)
    axes.set_xlabel("ratio (median and quartiles of interleaved rounds; black stroke: goal)")
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")


def _colours(groups: Sequence[str]) -> list[str]:
    return [{"suite": THIRD, "scan": UNDER}.get(group, OVER) for group in groups]
