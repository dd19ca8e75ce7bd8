"""A medium: how the examples of a workload are outside, in a person's files and before a person's eyes."""

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from PIL import Image

from bench.data.own_data import own_rows
from bench.language.errors import InputError

# Pixels of a small image on a sheet, at least, and the white between two.
_TILE = 32
_GAP = 2


@runtime_checkable
class Medium(Protocol):
    """How examples are read, written and shown.

    Attributes:
        endings: Of the files that can be written; the first where nothing else is asked for.
    """

    endings: ClassVar[tuple[str, ...]]

    def describe(self) -> dict[str, Any]:
        """All that a saved model keeps of it, as JSON has it: one of another description would give another meaning."""
        ...

    def read(self, path: Path, unit_interval: bool) -> Any:
        """The examples of a person's file, as the workload stores them.

        Args:
            path: The file.
            unit_interval: Whether every number must lie in [0, 1].

        Raises:
            InputError: If it cannot be read, or is of something else.
        """
        ...

    def byte_count(self, rows: Any) -> int:
        """What stored examples take outside, uncompressed."""
        ...

    def lost(self, rows: Any, decoded: np.ndarray) -> float | None:
        """Share of the symbols of stored examples that decoding does not give back; None where they are numbers."""
        ...

    def content(self, ending: str, outputs: np.ndarray, originals: Any = None) -> bytes:
        """The content of a file with a model's outputs.

        Args:
            ending: One of `endings`.
            outputs: What a model has decoded, examples along the first axis.
            originals: Stored examples to be shown beside their outputs.
        """
        ...

    def shown(self, examples: Any) -> np.ndarray | None:
        """What is seen of outputs or of stored examples: pixels in bytes, (examples, height, width), or with 3 more
        for colour; or lines of text, (examples,); None where there is nothing to look at.
        """
        ...


@dataclass(frozen=True)
class Images:
    """Images, of which intensities in [0, 1] are the pixels.

    Attributes:
        shape: Height, width, and 3 where they are in colour.
        flat: Whether the workload stores an image as one row of numbers.
    """

    endings: ClassVar[tuple[str, ...]] = (".png", ".npy")
    shape: tuple[int, ...]
    flat: bool = True

    def describe(self) -> dict[str, Any]:
        return {"kind": "images", "shape": list(self.shape)}

    def read(self, path: Path, unit_interval: bool) -> np.ndarray:
        numbers = _numbers(path, unit_interval)
        if numbers.shape[1:] not in (self.shape, (*self.shape, 1), (math.prod(self.shape),)):
            raise InputError(
                f"{path} holds examples of {_by(numbers.shape[1:])}, and this model is of images of {_by(self.shape)}: "
                "bring them to that size and mode"
            )
        return numbers.reshape(len(numbers), *([-1] if self.flat else self.shape))

    def byte_count(self, rows: np.ndarray) -> int:
        # One for a pixel, or for each of its colours.
        return rows.size

    def lost(self, rows: np.ndarray, decoded: np.ndarray) -> None:
        return None

    def content(self, ending: str, outputs: np.ndarray, originals: np.ndarray | None = None) -> bytes:
        if ending == ".npy":
            return npy(outputs.reshape(len(outputs), *self.shape))
        return png_sheet(self.shown(outputs), None if originals is None else self.shown(originals))

    def shown(self, examples: np.ndarray) -> np.ndarray:
        # What lies beyond [0, 1], as outputs of a squared error may, is black or white.
        return np.round(255 * np.clip(examples, 0, 1)).astype(np.uint8).reshape(len(examples), *self.shape)


@dataclass(frozen=True)
class Values:
    """Rows of numbers without a picture.

    Attributes:
        columns: How many there are in a row.
    """

    endings: ClassVar[tuple[str, ...]] = (".npy", ".csv")
    columns: int

    def describe(self) -> dict[str, Any]:
        return {"kind": "values", "columns": self.columns}

    def read(self, path: Path, unit_interval: bool) -> np.ndarray:
        numbers = _numbers(path, unit_interval)
        if math.prod(numbers.shape[1:]) != self.columns:
            raise InputError(
                f"{path} holds examples of {_by(numbers.shape[1:])}, and this model is of rows of {self.columns} "
                "numbers: give those"
            )
        return numbers.reshape(len(numbers), -1)

    def byte_count(self, rows: np.ndarray) -> int:
        return rows.nbytes

    def lost(self, rows: np.ndarray, decoded: np.ndarray) -> None:
        return None

    def content(self, ending: str, outputs: np.ndarray, originals: np.ndarray | None = None) -> bytes:
        # A reconstruction stands in the line of its original in that one's own file.
        if ending == ".npy":
            return npy(outputs)
        text = io.StringIO(newline="")
        csv.writer(text).writerows(outputs.tolist())
        return text.getvalue().encode()

    def shown(self, examples: np.ndarray) -> None:
        return None


def png_sheet(images: np.ndarray, originals: np.ndarray | None = None) -> bytes:
    """All images on one sheet, row by row, as PNG.

    Args:
        images: Bytes, (examples, height, width), or with a last axis of 3.
        originals: As many: each image stands under its original.
    """
    tiles = _framed(images)
    if originals is not None:
        # More white between two pairs than inside one.
        tiles = _framed(np.concatenate([_framed(originals), tiles], axis=1), larger=1)
    across = math.ceil(math.sqrt(len(tiles)))
    white = np.full((-len(tiles) % across, *tiles.shape[1:]), 255, np.uint8)
    grid = np.concatenate([tiles, white]).reshape(-1, across, *tiles.shape[1:]).swapaxes(1, 2)
    sheet = grid.reshape(grid.shape[0] * grid.shape[1], -1, *tiles.shape[3:])
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, format="PNG")
    return file.getvalue()


def _framed(images: np.ndarray, larger: int | None = None) -> np.ndarray:
    """Images as large as can be seen, with white at two of their sides."""
    larger = larger or max(1, _TILE // min(images.shape[1:3]))
    seen = images.repeat(larger, axis=1).repeat(larger, axis=2)
    beside = [(0, _GAP) if axis in (1, 2) else (0, 0) for axis in range(seen.ndim)]
    return np.pad(seen, beside, constant_values=255)


def _numbers(path: Path, unit_interval: bool) -> np.ndarray:
    rows = own_rows(path, unit_interval=unit_interval)
    if not isinstance(rows, Mapping):
        raise InputError(f"{path} is text, and this model is of numbers: give an .npy, .npz or .csv file, or images")
    return next(iter(rows.values()))


def npy(array: np.ndarray) -> bytes:
    """An array as an .npy file."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
