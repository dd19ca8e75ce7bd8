"""What the learning rate does: the score on validation over the rates that tuning tried."""

import math

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from bench.report.plots.panels import REFERENCE, TITLE_LINE, Looks, fold_title, panels, title_lines
from bench.report.plots.sheet import PANEL_WIDTH, legend_height, sheet
from bench.results.plot import plot
from bench.results.results import Results, Row

PLOT_HEIGHT = 1.9


@plot(
    title="{score} over learning rates",
    caption="The width of what works: on validation, after tuning on the first seed, with rings at the other tuning "
    "seeds and a filled mark at the rate that was chosen. A gap is a rate at which the training diverged. An arm whose "
    "line is low over a wide range is easy to tune; one ring far from its line is a rate that was lucky once.",
)  # fmt: skip
def score_over_learning_rates(results: Results) -> list[Figure]:
    """Each arm's score on validation over the rates that were tried: a figure for each panel of arms."""
    rows = {row.cell.arm: row for row in results.stored if len({each.learning_rate for each in row.record.tuning}) > 1}
    scores = [each.score for row in rows.values() for each in row.record.tuning if each.score is not None]
    plateau = next((row.plateau_validation for row in rows.values() if row.plateau_validation is not None), None)
    if not scores:
        return []
    highest = max(scores) if plateau is None else plateau
    lowest = min(*scores, highest)
    # What is far above the plateau would press all else flat.
    limits = (lowest - 0.06 * (highest - lowest or 1), highest + 0.25 * (highest - lowest or 1))
    label = results.score.said("{score}, {unit}")
    drawn = panels(results.summary, rows)
    return [_panel(title, looks, rows, plateau, limits, label) for title, looks in drawn.items()]


def _panel(
    title: str, looks: Looks, rows: dict[str, Row], plateau: float | None, limits: tuple[float, float], label: str
) -> Figure:
    top = 0.3 + TITLE_LINE * title_lines(title)
    (place,) = sheet([top + PLOT_HEIGHT + 0.5 + legend_height(len(looks) + 1)], 1)
    axes = place.axes(0.58, top, PANEL_WIDTH - 0.73, PLOT_HEIGHT)
    axes.set(ylim=limits, xlabel="learning rate", title=fold_title(title), xscale="log")
    axes.set_ylabel(label, labelpad=2)
    axes.xaxis.set_major_locator(LogLocator(numticks=6))
    axes.xaxis.set_minor_formatter(NullFormatter())
    handles = []
    for arm, style in looks.items():
        record = rows[arm].record
        first = sorted(
            (each for each in record.tuning if each.seed == record.tuning[0].seed), key=lambda each: each.learning_rate
        )
        rates = [each.learning_rate for each in first]
        axes.plot(rates, [_drawn(each.score) for each in first], color=style.colour,
                  marker=style.marker or ".", markersize=3, linewidth=2.2 if arm == REFERENCE else 1.3)  # fmt: skip
        others = [each for each in record.tuning if each.seed != record.tuning[0].seed]
        axes.plot([each.learning_rate for each in others], [_drawn(each.score) for each in others], "o",
                  color=style.colour, markerfacecolor="none", markersize=5, linestyle="")  # fmt: skip
        chosen = [each for each in first if each.learning_rate == record.learning_rate]
        axes.plot([each.learning_rate for each in chosen], [_drawn(each.score) for each in chosen], "o",
                  color=style.colour, markersize=7, linestyle="")  # fmt: skip
        handles.append(Line2D([], [], color=style.colour, marker=style.marker, label=arm))
    if plateau is not None:
        handles.append(axes.axhline(plateau, color="black", linestyle=(0, (4, 3)), linewidth=0.9, label="plateau"))
    place.legend(top + PLOT_HEIGHT + 0.48, handles)
    return place.figure


def _drawn(score: float | None) -> float:
    return math.nan if score is None else score
