"""A sheet: panels of one width in a grid, each with its legend below it, measured in inches.

Drawn on `Figure` objects alone: no global state of pyplot.
"""

import functools
import io
import logging
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, ParamSpec, TypeVar

import matplotlib
from matplotlib import font_manager
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PANEL_WIDTH = 3.6
"""Inches. At 96 pixels an inch this fits a phone's 400 pixels with the page's margins."""

LEGEND_LINE = 0.15

# For scripts that matplotlib's own font has not: on Debian, on a Mac, on Windows.
_OTHER_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "PingFang SC",
    "Hiragino Sans GB", "Microsoft YaHei", "SimHei", "Arial Unicode MS",
)  # fmt: skip


def _families() -> list[str]:
    """The fonts that a character is looked for in, one after another."""
    installed = set(font_manager.get_font_names())
    others = [name for name in _OTHER_FONTS if name in installed]
    if others:
        # They come in one weight, and matplotlib would say so at every bold title.
        said = logging.getLogger("matplotlib.font_manager")
        said.addFilter(lambda record: "Failed to find font weight" not in record.getMessage())
    # Of the families behind "sans-serif" matplotlib takes one alone.
    return ["DejaVu Sans", *others, "sans-serif"] if others else ["sans-serif"]


SETTINGS: dict[Any, Any] = {
    "font.size": 8.5, "axes.titlesize": 9.5, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#666666", "axes.linewidth": 0.7,
    "axes.grid": True, "grid.color": "#e4e4e4", "grid.linewidth": 0.6, "axes.axisbelow": True,
    "lines.linewidth": 1.5, "lines.markersize": 4.0, "figure.facecolor": "white", "savefig.facecolor": "white",
    "svg.fonttype": "none", "axes.unicode_minus": True, "font.family": _families(),
}  # fmt: skip

P = ParamSpec("P")
R = TypeVar("R")


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function draw with this package's settings and leave everyone else's alone."""

    @functools.wraps(function)
    def within(*args: P.args, **keywords: P.kwargs) -> R:
        with matplotlib.rc_context(SETTINGS):
            return function(*args, **keywords)

    return within


class Panel(NamedTuple):
    """One panel's corner on a sheet, from the sheet's upper left, in inches."""

    figure: Figure
    left: float
    top: float

    def axes(self, left: float, top: float, width: float, height: float, **keywords: Any) -> Axes:
        """Axes at a distance from the panel's corner, in inches."""
        across, down = self.figure.get_size_inches()
        box = ((self.left + left) / across, 1 - (self.top + top + height) / down, width / across, height / down)
        return self.figure.add_axes(box, **keywords)

    def legend(self, top: float, handles: Sequence[Artist]) -> None:
        """A legend of one column below the plots."""
        across, down = self.figure.get_size_inches()
        self.figure.legend(
            handles=list(handles), loc="upper left", frameon=False, borderaxespad=0, borderpad=0, labelspacing=0.25,
            handlelength=2.2, bbox_to_anchor=((self.left + 0.15) / across, 1 - (self.top + top) / down),
        )  # fmt: skip


def sheet(heights: Sequence[float], columns: int, width: float = PANEL_WIDTH) -> list[Panel]:
    """An empty figure with room for panels of these heights, row by row."""
    columns = max(1, min(columns, len(heights)))
    rows = [heights[start : start + columns] for start in range(0, len(heights), columns)]
    figure = Figure(figsize=(width * columns, sum(map(max, rows))))
    tops = [sum(map(max, rows[:row])) for row in range(len(rows))]
    return [Panel(figure, width * (index % columns), tops[index // columns]) for index in range(len(heights))]


def legend_height(entries: int) -> float:
    """Inches that a legend of so many entries takes."""
    return LEGEND_LINE * entries + 0.1


def svg(figure: Figure, name: str) -> str:
    """A figure as SVG with text as text, the same bytes each time.

    Args:
        figure: What to draw.
        name: Set before every id, so that several figures can stand in one page: clip paths and markers are found by
            id in the whole page, and matplotlib names them alike in all figures.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context({**SETTINGS, "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", dpi=100, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = buffer.getvalue()
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'href="#', f'href="#{name}-', text)
    return _TAG.sub(_compact, text.replace("url(#", f"url(#{name}-"))


# Inside of a tag, not of a text: a hundredth of a point is less than anyone sees, and six decimals are half the file.
_TAG = re.compile(r"<[^<>]+>")
_DECIMALS = re.compile(r"(\d\.\d\d)\d+")


def _compact(tag: re.Match[str]) -> str:
    return re.sub(r"\s+", " ", _DECIMALS.sub(r"\1", tag.group()))


def png(figure: Figure) -> bytes:
    """A figure as PNG, the same bytes each time."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(SETTINGS):
        figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    return buffer.getvalue()
