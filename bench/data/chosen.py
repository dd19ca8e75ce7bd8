"""What a workload's `data` names: a set with a name, or a person's own file."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.data.listing import find_sets, named_sets
from bench.data.own_data import own_data
from bench.data.splits import Splits
from bench.language.arms import NAME
from bench.language.errors import InputError

_WORDS = {"images": "images", "values": "rows of numbers", "text": "text"}


@dataclass(frozen=True, eq=False)
class Chosen:
    """Data that were chosen; a person's own are read by then, since only they say their shape, and a set is not.

    Attributes:
        name: As it was chosen.
        kind: "images", "values", which are rows of numbers, or "text".
        shape: Of one example; of text nothing.
        classes: How many there are where examples have labels; 0 where not.
        splits: The examples.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    classes: int
    splits: Callable[[], Splits[Any]]

    @property
    def numbers(self) -> int:
        """How many numbers one example is."""
        return math.prod(self.shape)

    def map(self, function: Callable[[Any], Any]) -> "Chosen":
        """The same with other rows, made split by split when they are asked for."""
        return replace(self, splits=lambda: self.splits().map(function))


def choose(
    data: str,
    of: tuple[str, ...],
    *,
    examples: int = 0,
    in_blocks: bool = False,
    unit_interval: bool = False,
    words: bool = False,
) -> Chosen:
    """The data that a name or a path stands for, in three splits.

    Args:
        data: A name as `python -m bench data list` shows it; or the path of an .npy, .npz, .csv or .txt file, or of a
            folder of images, with a dot or a slash in it.
        of: The kinds that will do.
        examples: How many of the training set to use; 0 for all.
        in_blocks: Of a person's own: whether examples follow each other in time.
        unit_interval: Of a person's own: whether every number must lie in [0, 1].
        words: Of a person's own text: whether tokens are words.

    Raises:
        InputError: If there is no such set or file, or what it holds will not do.
    """
    found = _named(data, in_blocks) if NAME.fullmatch(data) else _own(data, in_blocks, unit_interval, words)
    if found.kind not in of:
        wanted = " or ".join(_WORDS[kind] for kind in of)
        raise InputError(f"data {data!r} holds {_WORDS[found.kind]}, and this workload is of {wanted}: name those")
    return found if not examples else replace(found, splits=lambda: found.splits().with_examples(examples))


def typed_data(data: str) -> str:
    """What was typed, as a name or a path: what lies here without an ending is one by a path."""
    return f"./{data}" if NAME.fullmatch(data) and data not in named_sets() and Path(data).exists() else data


def _named(data: str, in_blocks: bool) -> Chosen:
    try:
        (named,) = find_sets((data,))
    except InputError as error:
        raise InputError(f"{error}; or write ./{data}, if that file or folder is meant") from error
    if in_blocks:
        raise InputError(f"in_blocks=true is of a file of your own, and {data} has a split of its own: leave it out")
    return Chosen(data, named.kind, named.shape, named.classes, named)


def _own(data: str, in_blocks: bool, unit_interval: bool, words: bool) -> Chosen:
    splits = own_data(Path(data).expanduser(), in_blocks=in_blocks, unit_interval=unit_interval, words=words)
    if isinstance(splits.train, list):
        return Chosen(data, "text", (), 0, lambda: splits)
    (kind,) = (name for name in splits.train if name != "labels")
    parts = (splits.train, splits.validation, splits.test)
    classes = 1 + max(int(np.max(rows["labels"])) for rows in parts) if "labels" in splits.train else 0
    return Chosen(data, kind, splits.train[kind].shape[1:], classes, lambda: splits)
