"""What every reader of data returns: examples in three splits, and a sentence on how they were split."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from bench.language.errors import InputError

Arrays = dict[str, np.ndarray]
"""Arrays with one leading axis, the examples': a pytree.

`images` are (examples, height, width) or (examples, height, width, channels), `values` (examples, numbers), `labels`
(examples,), and of text that a vocabulary has encoded `tokens` (examples, length) with `lengths` (examples,). By its
type a stored number says its range: uint8 is 0 to 255, bool ink or none, float32 the number itself.
"""

Sentence = tuple[str, ...]
"""A sequence of tokens, characters or words, without any special symbol."""

Sentences = list[Sentence]

Rows = TypeVar("Rows", Arrays, Sentences)
_OtherRows = TypeVar("_OtherRows", Arrays, Sentences)


@dataclass(frozen=True, eq=False)
class Splits(Generic[Rows]):
    """Examples in three splits.

    Attributes:
        train: What a training sees.
        validation: What is chosen by.
        test: What is reported on.
        description: How they were split, in sentences that a report can print.
        unknown: How a word outside the vocabulary is written, where the data set says so.
    """

    train: Rows
    validation: Rows
    test: Rows
    description: str
    unknown: str | None = None

    @property
    def sizes(self) -> tuple[int, int, int]:
        """How many examples there are for training, validation and test."""
        return count(self.train), count(self.validation), count(self.test)

    def map(self, function: Callable[[Rows], _OtherRows], said: str = "") -> "Splits[_OtherRows]":
        """The same splits with other rows, made split by split.

        Args:
            function: From the rows of one split to those that stand for them.
            said: A sentence to add to the description.
        """
        made = (function(rows) for rows in (self.train, self.validation, self.test))
        return Splits(*made, description=f"{self.description} {said}".strip(), unknown=self.unknown)

    def with_examples(self, examples: int, seed: int = 0) -> "Splits[Rows]":
        """The same validation and test sets with a random part of the training set.

        Args:
            examples: How many to keep, at least 1.
            seed: Of the draw.

        Raises:
            InputError: If there are not as many.
        """
        there = count(self.train)
        if not 1 <= examples <= there:
            raise InputError(
                f"examples={examples} cannot be taken of {there:,} training examples: give a number from 1 to {there}"
            )
        kept = np.sort(np.random.default_rng(seed).permutation(there)[:examples])
        said = f"Of the training set {examples:,} examples are used, drawn with seed {seed}."
        return replace(self, train=take(self.train, kept), description=f"{self.description} {said}")


def count(rows: Arrays | Sentences) -> int:
    """How many examples there are."""
    return len(rows) if isinstance(rows, list) else len(next(iter(rows.values())))


def take(rows: Rows, examples: ArrayLike) -> Rows:
    """The named examples, in the order in which they are named.

    Args:
        rows: Of any kind.
        examples: Their indices.
    """
    chosen: Any = np.asarray(examples, dtype=np.intp)
    if isinstance(rows, list):
        return [rows[index] for index in chosen]
    return {name: array[chosen] for name, array in rows.items()}
