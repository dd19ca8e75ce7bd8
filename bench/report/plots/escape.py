"""When trainings leave the plateau: Kaplan and Meier's curves."""

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from bench.report.plots.panels import REFERENCE, TITLE_LINE, Looks, fold_title, panels, title_lines
from bench.report.plots.sheet import PANEL_WIDTH, legend_height, sheet
from bench.results.judging.statistics import Survival
from bench.results.plot import plot
from bench.results.results import Results

PLOT_HEIGHT = 1.7


@plot(
    title="When trainings leave the plateau", needs=("score",),
    caption="The share of fresh seeds that is still on the plateau, by Kaplan and Meier's estimate; a seed that has "
    "not left is followed to its last validation. A line that ends above 0 says nothing of what longer trainings would "
    "do. Arms of which no seed left are not drawn, but for the baseline.",
)  # fmt: skip
def share_on_the_plateau(results: Results) -> list[Figure]:
    """Kaplan-Meier curves of the step of escape: a figure for each panel of arms of which any seed left."""
    found = {row.cell.arm: survival for row in results.stored if (survival := row.escape) is not None}
    last = max((each.step for row in results.stored for each in row.escapes.values()), default=0)
    told = {arm: survival for arm, survival in found.items() if survival.times or arm == REFERENCE}
    drawn = panels(results.summary, told) if any(survival.times for survival in told.values()) else {}
    return [_panel(title, looks, told, last) for title, looks in drawn.items()]


def _panel(title: str, looks: Looks, found: dict[str, Survival], last: int) -> Figure:
    top = 0.3 + TITLE_LINE * title_lines(title)
    (place,) = sheet([top + PLOT_HEIGHT + 0.5 + legend_height(len(looks))], 1)
    axes = place.axes(0.58, top, PANEL_WIDTH - 0.73, PLOT_HEIGHT)
    axes.set(xlim=(0, last), ylim=(-0.1, 1.06), xlabel="step", title=fold_title(title))
    axes.set_ylabel("share on the plateau", labelpad=2)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    handles = []
    for number, (arm, style) in enumerate(looks.items()):
        survival = found[arm]
        # Lines of one height lie on each other: each a little below the one before.
        shares = [share - 0.012 * number for share in (1.0, *survival.shares, (survival.shares or [1.0])[-1])]
        axes.step([0, *survival.times, last], shares, where="post", color=style.colour,
                  linewidth=2.2 if arm == REFERENCE else 1.5)  # fmt: skip
        axes.plot(survival.times, shares[1:-1], style.marker or ".", color=style.colour, linestyle="")
        handles.append(Line2D([], [], color=style.colour, marker=style.marker, label=arm))
    place.legend(top + PLOT_HEIGHT + 0.48, handles)
    return place.figure
