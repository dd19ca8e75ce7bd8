"""Plots as they are published: each figure drawn once, for the page and for the files alike. No jax, no pyplot."""

import io
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imsave

from bench.language.errors import InputError
from bench.report.plots.sheet import SETTINGS, svg
from bench.results.plot import Plot
from bench.results.results import Results
from bench.results.stored.store import write_atomically

# Of a PNG: dots in an inch, and in all. Of thousands of arms it is coarse, and the SVG is not.
_DPI = 150
_PIXELS = 6e7


@dataclass(frozen=True)
class Drawn:
    """A plot of one workload, or of all.

    Attributes:
        plot: The plot.
        workload: The workload; empty of one that is of all.
        pieces: Its figures as SVG.
        image: All of them side by side as PNG.
        sheet: And as SVG.
        left_out: How many of its figures are not among the pieces, and in the files alone.
    """

    plot: Plot
    workload: str
    pieces: tuple[str, ...]
    image: bytes
    sheet: str
    left_out: int = 0


def draw(results: Results, plots: Iterable[Plot]) -> tuple[list[Drawn], list[str]]:
    """Every plot of every workload that has something to show; and in sentences, which could not be drawn."""
    plots, drawn, complaints = list(plots), [], []
    for number, (workload, part) in enumerate([*results.workloads.items(), ("", results)]):
        for plot in plots:
            if plot.of_all is bool(workload):
                continue
            try:
                with matplotlib.rc_context(SETTINGS):
                    figures = plot.figures(part)
                    if figures:
                        titled = replace(plot, title=part.score.said(plot.title))
                        drawn.append(_drawn(titled, workload, figures, f"w{number}-{plot.name}"))
            except InputError as error:
                complaints.append(str(error))
    return drawn, list(dict.fromkeys(complaints))


def write_plots(results: Results, drawn: Sequence[Drawn]) -> list[Path]:
    """Write every plot as SVG and PNG into plots/ of the run; with several workloads, each under its name."""
    folder = results.directory / "plots"
    folder.mkdir(exist_ok=True)
    paths = []
    for each in drawn:
        ending = (
            "--" + re.sub(r"[^A-Za-z0-9_.=-]+", "_", each.workload)
            if each.workload and len(results.workloads) > 1
            else ""
        )
        for kind, data in ((".svg", each.sheet.encode()), (".png", each.image)):
            paths.append(folder / f"{each.plot.name}{ending}{kind}")
            write_atomically(paths[-1], data)
    return paths


def _drawn(plot: Plot, workload: str, figures: list[Figure], name: str) -> Drawn:
    with warnings.catch_warnings():
        # An SVG holds text as text, which a browser shows in any script; a PNG has a box where no font here does.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        pieces = tuple(svg(figure, f"{name}-{number}") for number, figure in enumerate(figures))
        corners, size = _grid([tuple(figure.get_size_inches()) for figure in figures], plot.columns)
        return Drawn(plot, workload, pieces, _image(figures, corners, size), _sheet(pieces, corners, size))


def _grid(sizes: list[tuple[float, ...]], columns: int) -> tuple[np.ndarray, np.ndarray]:
    """The upper left corner of each figure, row by row, and the size of them all, in inches."""
    columns = min(columns, len(sizes))
    widths = [max(width for width, _ in sizes[column::columns]) for column in range(columns)]
    heights = [max(height for _, height in sizes[start : start + columns]) for start in range(0, len(sizes), columns)]
    left, top = np.cumsum([0.0, *widths]), np.cumsum([0.0, *heights])
    corners = [(left[number % columns], top[number // columns]) for number in range(len(sizes))]
    return np.array(corners), np.array([left[-1], top[-1]])


def _image(figures: list[Figure], corners: np.ndarray, size: np.ndarray) -> bytes:
    dpi = min(_DPI, np.sqrt(_PIXELS / size.prod()))
    across, down = np.ceil(size * dpi).astype(int)
    image = np.full((down, across, 4), 255, np.uint8)
    for figure, corner in zip(figures, corners, strict=True):
        figure.set_dpi(dpi)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        x, y = np.round(corner * dpi).astype(int)
        pixels = np.asarray(canvas.buffer_rgba())[: down - y, : across - x]
        image[y : y + len(pixels), x : x + pixels.shape[1]] = pixels
    file = io.BytesIO()
    imsave(file, image, format="png", dpi=dpi, metadata={"Software": ""})
    return file.getvalue()


def _sheet(pieces: Sequence[str], corners: np.ndarray, size: np.ndarray) -> str:
    """Figures as one SVG file, each where it belongs."""
    points, (width, height) = corners * 72, size * 72
    inner = []
    for piece, (x, y) in zip(pieces, points, strict=True):
        text = piece[piece.index("<svg") :]
        # In the file's own units, which are points.
        head, _, rest = text.partition(">")
        inner.append(f'<svg x="{x:g}" y="{y:g}"' + re.sub(r'="([\d.]+)pt"', r'="\1"', head)[4:] + ">" + rest)
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}pt" '
        f'height="{height:g}pt" viewBox="0 0 {width:g} {height:g}">\n{"".join(inner)}</svg>\n'
    )
