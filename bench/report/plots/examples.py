"""What the saved model of each arm does: a panel of pictures, or of lines of text."""

from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from bench.report.plots.panels import TITLE_LINE, fold_title, title_lines
from bench.report.plots.sheet import PANEL_WIDTH, sheet
from bench.results.plot import plot
from bench.results.results import Results

# What is shown, in this order, and the words over it; of several, one stands under the other.
_BANDS = {
    ("originals", "reconstructions"): "test examples, and under each what its code gives back",
    ("samples",): "samples of the prior",
    ("interpolations",): "from the code of one example to that of the next",
}

# Pictures side by side, and the white between two as a share of one.
_ACROSS = 8
_GAP = 0.06

# Inches.
_MARGIN = 0.1
_TITLE = 0.3
_WORDS = 0.22
_LINE = 0.15
_WIDTH = PANEL_WIDTH - 2 * _MARGIN

# Characters of a line of text.
_CHARACTERS = 64


class _Band(NamedTuple):
    """What stands under some words: a picture of several, or lines; and its height in inches."""

    words: str
    picture: np.ndarray | None
    lines: list[str]
    height: float


@plot(
    title="What the saved models do",
    caption="Look for reconstructions that differ as their originals do: where all are alike, the code holds nothing. "
    "Models of the first fresh seed; all are shown the same examples, and the same draws of the prior.",
)
def what_a_model_does(results: Results) -> list[Figure]:
    """Reconstructions under their originals, samples of the prior and interpolations: a figure for each saved arm."""
    return [_panel(row.cell.arm, examples) for row in results.rows if (examples := row.examples)]


def _panel(arm: str, examples: dict[str, np.ndarray]) -> Figure:
    bands = [
        _band(words, [examples[name] for name in names])
        for names, words in _BANDS.items()
        if set(names) <= examples.keys()
    ]
    top = _TITLE + TITLE_LINE * title_lines(arm)
    (place,) = sheet([top + sum(_WORDS + band.height for band in bands) + _MARGIN], 1)
    down = place.figure.get_size_inches()[1]

    def write(text: str, at: float, **options: Any) -> None:
        place.figure.text(_MARGIN / PANEL_WIDTH, 1 - at / down, text, va="bottom", parse_math=False, **options)

    write(fold_title(arm), top - 0.08, weight="bold", size=9.5)
    for band in bands:
        top += _WORDS
        write(band.words, top - 0.04, color="#555555")
        if band.picture is not None:
            axes = place.axes(_MARGIN, top, _WIDTH, band.height)
            axes.imshow(band.picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest", aspect="auto")
            axes.axis("off")
        for number, line in enumerate(band.lines, start=1):
            write(line, top + _LINE * number, size=7.5)
        top += band.height
    return place.figure


def _band(words: str, examples: list[np.ndarray]) -> _Band:
    if examples[0].dtype.kind == "U":
        first, *others = examples
        back = zip(*([f"→ {line}" for line in lines] for lines in others), strict=True) if others else [()] * len(first)
        lines = [str(line) for one, under in zip(first, back, strict=True) for line in (one, *under)]
        cut = [line if len(line) <= _CHARACTERS else f"{line[: _CHARACTERS - 1]}…" for line in lines]
        return _Band(words, None, cut, _LINE * len(cut))
    rows = np.stack([_rows(images) for images in examples], axis=1)
    _, _, _, height, width, *channels = rows.shape
    # Whole pixels, however small the picture.
    larger = max(1, 32 // min(height, width))
    gap = max(1, round(_GAP * width * larger))
    tiles = rows.reshape(-1, *rows.shape[2:]).repeat(larger, axis=2).repeat(larger, axis=3)
    tiles = np.pad(tiles, [(0, gap) if axis in (2, 3) else (0, 0) for axis in range(tiles.ndim)], constant_values=255)
    picture = tiles.swapaxes(1, 2).reshape(len(tiles) * tiles.shape[2], -1, *channels)[:-gap, :-gap]
    return _Band(words, picture, [], _WIDTH * picture.shape[0] / picture.shape[1])


def _rows(images: np.ndarray) -> np.ndarray:
    """Images in rows, (rows, _ACROSS, ...); white where there are no more."""
    white = np.full((-len(images) % _ACROSS, *images.shape[1:]), 255, np.uint8)
    return np.concatenate([images, white]).reshape(-1, _ACROSS, *images.shape[1:])
