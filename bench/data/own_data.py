"""A person's own file: read, checked and split; every mistake in it becomes a sentence with its place and its cure."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.data.reading.arrays import read_array
from bench.data.reading.intensities import intensities
from bench.data.reading.lines import read_lines
from bench.data.reading.pictures import read_pictures
from bench.data.reading.table import read_table
from bench.data.splits import Splits
from bench.data.splitting import split_at_random, split_in_blocks
from bench.language.errors import InputError

_KINDS = "an .npy, .npz, .csv or .txt file, or a folder of PNG or JPEG images"

# For each example the words for where it stands; None where its index says it.
_Places = list[str] | None


def own_data(
    path: Path | str,
    *,
    array: str | None = None,
    words: bool = False,
    unknown: str | None = None,
    unit_interval: bool = False,
    in_blocks: bool = False,
    examples: int | None = None,
    seed: int = 0,
) -> Splits[Any]:
    """A person's own examples in three splits, 80/10/10; nothing is ever written.

    Args:
        path: An .npy or .npz file, examples along the first axis; a .csv file of numbers, an example a line, with or
            without a header; a .txt file in UTF-8, an example a line; or a folder of PNG or JPEG images of one size.
        array: Which array of an .npz file holds the examples; by default `images`, or `values`, or the only one beside
            `labels`, whole numbers from 0.
        words: Of text: whether tokens are words, between spaces, or characters.
        unknown: Of text: how a word outside the vocabulary is written, where there may be such.
        unit_interval: Whether every number must lie in [0, 1], as intensities do.
        in_blocks: Whether examples follow each other in time: then the splits are made of contiguous blocks. Otherwise
            they are drawn at random, identical examples in one split.
        examples: How many of the training set to use, a seeded draw; by default all.
        seed: Of the split.

    Returns:
        Rows `images` (three axes or more) or `values` (two axes), in float32, with their `labels` where there are any;
        or sentences.

    Raises:
        InputError: If the file is missing or damaged, or holds what cannot be used.
    """
    file = Path(path)
    rows, said = _examples(file, array, words, unit_interval)
    if isinstance(rows, dict):
        _require_different(next(iter(rows.values())), file)
    try:
        splits = split_in_blocks(rows, seed=seed) if in_blocks else split_at_random(rows, seed=seed)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
    own = replace(splits, description=f"{said} {splits.description}", unknown=unknown)
    return own if examples is None else own.with_examples(examples)


def own_rows(path: Path | str, *, array: str | None = None, words: bool = False, unit_interval: bool = False) -> Any:
    """The examples of a person's own file as they are, for a model that was trained: as `own_data`, without a split
    and without labels.
    """
    return _examples(Path(path), array, words, unit_interval, labelled=False)[0]


def _examples(
    file: Path, array: str | None, words: bool, unit_interval: bool, labelled: bool = True
) -> tuple[Any, str]:
    """The examples of a file, each of which can be used, and a sentence on what was read."""
    try:
        rows, places, said = _read(file, array, words, labelled)
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror or error}): give {_KINDS}") from error
    if isinstance(rows, dict):
        _require_usable(next(iter(rows.values())), file, places, unit_interval)
    return rows, said


def _read(file: Path, array: str | None, words: bool, labelled: bool) -> tuple[Any, _Places, str]:
    """The examples, where each stands, and a sentence on what was read."""
    ending, places, left, labels = file.suffix.lower(), None, "", None
    if file.is_dir():
        numbers, paths = read_pictures(file)
        others = sum(not each.name.startswith(".") for each in file.iterdir()) - len(paths)
        left = f"; what else is in the folder, {others} entries, is not read" if others else ""
        places = [path.name for path in paths]
    elif not file.exists():
        raise InputError(f"there is no {file}: give {_KINDS}")
    elif ending in (".npy", ".npz"):
        numbers, labels = read_array(file, array)
    elif ending == ".csv":
        numbers, lines = read_table(file.read_bytes(), str(file))
        places = [f"line {line}" for line in lines]
    elif ending == ".txt":
        sentences = read_lines(file.read_bytes(), words, str(file))
        return sentences, None, f"{file.name}: {len(sentences):,} lines of {'words' if words else 'characters'}."
    else:
        raise InputError(f"{file} ends in {ending!r}, which is no kind that is known: give {_KINDS}")
    if numbers.ndim < 2 or not numbers.size:
        raise InputError(
            f"{file} holds an array of shape {_shape(numbers.shape)}: give at least one example along a first axis, "
            "and its numbers along the others"
        )
    try:
        rows = {"values" if numbers.ndim == 2 else "images": intensities(numbers)}
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
    if labels is not None and labelled:
        rows["labels"] = _labels(labels, len(numbers), file)
    scaled = ", bytes divided by 255" if numbers.dtype == np.uint8 else ""
    return rows, places, f"{file.name}: {len(numbers):,} examples of {_shape(numbers.shape[1:])} numbers{scaled}{left}."


def _labels(labels: np.ndarray, examples: int, file: Path) -> np.ndarray:
    """Numbers of classes in int32, if that is what they are.

    Raises:
        InputError: If they are not.
    """
    if labels.shape != (examples,) or labels.dtype.kind not in "iu":
        raise InputError(
            f"{file} holds labels of type {labels.dtype} and shape {_shape(labels.shape)} beside {examples:,} "
            "examples: give one whole number for each"
        )
    # A class beyond would have no example.
    wrong = np.flatnonzero((labels < 0) | (labels >= max(examples, 2)))
    if wrong.size or (labels == labels[0]).all():
        said = f"index [{wrong[0]}] of labels holds {labels[wrong[0]]}" if wrong.size else "all labels are the same"
        raise InputError(f"{file}: {said}: number two classes or more from 0")
    return labels.astype(np.int32)


def _require_usable(numbers: np.ndarray, file: Path, places: _Places, unit_interval: bool) -> None:
    """Raise unless all are finite, and in range where one is asked for."""
    outside = (numbers < 0) | (numbers > 1) if unit_interval else np.zeros_like(numbers, bool)
    for wrong, rule in (
        (~np.isfinite(numbers), "must be finite in float32: mend or leave out that example"),
        (outside, "must lie in [0, 1]: scale the numbers, or store bytes, which are divided by 255"),
    ):
        if wrong.any():
            index = [int(each) for each in np.argwhere(wrong)[0]]
            at = f"{places[index[0]]}, column {index[1] + 1}" if places else f"index {index}"
            raise InputError(f"{file}, {at} holds {numbers[tuple(index)]:g}, and numbers {rule}")


def _require_different(numbers: np.ndarray, file: Path) -> None:
    if len(numbers) > 1 and (numbers == numbers[0]).all():
        raise InputError(
            f"{file}: all {len(numbers):,} examples are the same: there is nothing to learn, give different ones"
        )


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a single number"
