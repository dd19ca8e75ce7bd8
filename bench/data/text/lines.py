"""Lines of text: how the sentences of a workload are in a person's files and before a person's eyes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bench.data.own_data import own_rows
from bench.data.splits import Arrays
from bench.data.text.vocabulary import Vocabulary
from bench.language.errors import InputError


@dataclass(frozen=True)
class Lines:
    """Text in UTF-8, a sentence a line; see `Medium`.

    Attributes:
        vocabulary: Which token each number is.
        length: Tokens of the longest sentence that a row has room for, its end not counted.
        words: Whether tokens are words, between spaces, or characters.
    """

    endings: ClassVar[tuple[str, ...]] = (".txt",)
    vocabulary: Vocabulary
    length: int
    words: bool

    def describe(self) -> dict[str, Any]:
        return {"kind": "text", "tokens": list(self.vocabulary.tokens), "length": self.length, "words": self.words}

    def read(self, path: Path, unit_interval: bool) -> Arrays:
        sentences = own_rows(path, words=self.words)
        if not isinstance(sentences, list):
            raise InputError(
                f"{path} is no text, and this model is of text: give a .txt file in UTF-8, a sentence a line"
            )
        for number, sentence in enumerate(sentences, start=1):
            if len(sentence) > self.length:
                raise InputError(
                    f"{path}, line {number} has {len(sentence)} tokens, and this model was trained on sentences of "
                    f"at most {self.length}: shorten it"
                )
        try:
            return self.vocabulary.encode(sentences, self.length + 1)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    def byte_count(self, rows: Arrays) -> int:
        return sum(len(f"{line}\n".encode()) for line in self._lines(rows["tokens"]))

    def lost(self, rows: Arrays, decoded: np.ndarray) -> float:
        """Share of tokens and ends that are others at their place; one that is unknown does not come back."""
        there = np.arange(rows["tokens"].shape[1]) < rows["lengths"][:, None]
        other = rows["tokens"] != decoded
        if self.vocabulary.unknown is not None:
            other |= rows["tokens"] == self.vocabulary.tokens.index(self.vocabulary.unknown)
        return float(other[there].mean())

    def content(self, ending: str, outputs: np.ndarray, originals: Arrays | None = None) -> bytes:
        # A reconstruction stands in the line of its original in that one's own file.
        return "".join(f"{line}\n" for line in self._lines(outputs)).encode()

    def shown(self, examples: Arrays | np.ndarray) -> np.ndarray:
        return np.array(self._lines(examples["tokens"] if isinstance(examples, dict) else examples))

    def _lines(self, tokens: np.ndarray) -> list[str]:
        return [(" " if self.words else "").join(sentence) for sentence in self.vocabulary.decode(tokens)]
