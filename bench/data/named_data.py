"""A data set that has a name: its files, its licence, and the function that makes splits of what they hold."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.data.fetching.data_file import DataFile
from bench.data.fetching.places import cache_folder, find, named_folder
from bench.data.splits import Splits
from bench.language.errors import InputError


@dataclass(frozen=True)
class NamedData:
    """A data set, as `@named_data` makes one of a function.

    Attributes:
        function: From the content of each file, in their order, to the splits.
        kind: "images" or "text".
        examples: How many there are, all splits together.
        licence: In a few words.
        files: What has to be on this machine; none where the data are made here.
        shape: Rows and columns of an image; of text nothing.
        classes: How many there are where examples have labels; 0 where not.
    """

    function: Callable[..., Splits[Any]]
    kind: str
    examples: int
    licence: str
    files: tuple[DataFile, ...]
    shape: tuple[int, ...]
    classes: int

    @property
    def name(self) -> str:
        """How it is called on the command line."""
        return self.function.__name__.replace("_", "-")

    @property
    def description(self) -> str:
        """What it is, where it comes from and how it is split."""
        return inspect.cleandoc(self.function.__doc__ or "")

    @property
    def size(self) -> int:
        """Bytes to download."""
        return sum(file.size for file in self.files)

    def __call__(self, examples: int | None = None, folder: Path | str | None = None) -> Splits[Any]:
        """The splits, from files whose checksums are compared every time; nothing is downloaded here.

        Args:
            examples: How many of the training set to use, a seeded draw; by default all.
            folder: A folder that has the files already; by default the one that VAE_JAX_DATA names.

        Raises:
            InputError: If a file is missing or damaged, or there are fewer examples.
        """
        splits = self.function(*self._contents(named_folder(folder)))
        return splits if examples is None else splits.with_examples(examples)

    def missing(self, folder: Path | None) -> tuple[DataFile, ...]:
        """The files that are neither in the named folder nor in the cache."""
        return tuple(file for file in self.files if find(file, folder) is None)

    def _contents(self, folder: Path | None) -> list[bytes]:
        contents = []
        for file in self.files:
            path = find(file, folder)
            if path is None:
                places = " nor in ".join(str(place) for place in (folder, cache_folder()) if place is not None)
                raise InputError(
                    f"{file.path} of {self.name} is {'neither' if folder else 'not'} in {places}: run python -m bench "
                    f"data fetch {self.name}, or name a folder that has it with --data-dir or VAE_JAX_DATA"
                )
            contents.append(file.content(path))
        return contents


def named_data(
    *,
    kind: str,
    examples: int,
    licence: str,
    files: tuple[DataFile, ...] = (),
    shape: tuple[int, ...] = (),
    classes: int = 0,
) -> Callable[[Callable[..., Splits[Any]]], NamedData]:
    """Make a named data set of a function; its docstring says what it is, its source, and how it is split.

    Args:
        kind: "images" or "text".
        examples: How many there are, all splits together.
        licence: In a few words.
        files: What the function is given the content of, in this order.
        shape: Rows and columns of an image.
        classes: How many there are where examples have labels.
    """
    return functools.partial(
        NamedData, kind=kind, examples=examples, licence=licence, files=files, shape=shape, classes=classes
    )
