"""A vocabulary: which number stands for which token, as the training set alone says."""

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bench.data.splits import Arrays, Sentence
from bench.language.errors import InputError

PAD, BEGIN, END = "<pad>", "<begin>", "<end>"
"""What follows a sentence's end up to the length of its row, what a decoder is given first, what ends a sentence."""

_SPECIAL = (PAD, BEGIN, END)

BEGIN_NUMBER = _SPECIAL.index(BEGIN)


@dataclass(frozen=True)
class Vocabulary:
    """Tokens by number: padding 0, begin 1, end 2, the unknown symbol 3 where there is one, then the commonest first.

    Attributes:
        tokens: All of them, special symbols too.
        unknown: The symbol for every token that is not there, one of them; without one such a token is an error.
    """

    tokens: tuple[str, ...]
    unknown: str | None = None

    @classmethod
    def of(cls, sentences: Sequence[Sentence], unknown: str | None = None, at_least: int = 1) -> "Vocabulary":
        """The vocabulary of a training set.

        Args:
            sentences: The training set's.
            unknown: The symbol for whatever is not in the vocabulary; where it occurs in the sentences it is that, too.
            at_least: How often a token must occur to be one of the vocabulary; what is rarer is trained as unknown.

        Raises:
            InputError: If rare tokens have no symbol, or a special symbol is a token of the text.
        """
        if at_least > 1 and unknown is None:
            raise InputError(f"at_least={at_least} leaves tokens out: give a symbol for them, as unknown='<unk>'")
        counts = Counter(token for sentence in sentences for token in sentence)
        taken = next((symbol for symbol in _SPECIAL if symbol in counts or symbol == unknown), None)
        if taken:
            raise InputError(f"the text has the token {taken!r}, which is a special symbol: write it in another way")
        # By count, then as they are written: never by where they stand.
        kept = sorted((-times, token) for token, times in counts.items() if times >= at_least and token != unknown)
        return cls((*_SPECIAL, *([unknown] if unknown else []), *(token for _, token in kept)), unknown)

    def __len__(self) -> int:
        """How many numbers there are."""
        return len(self.tokens)

    @property
    def of_words(self) -> bool:
        """Whether tokens are words, between which stand spaces, and not characters."""
        return any(len(token) > 1 for token in self.tokens if token not in (*_SPECIAL, self.unknown))

    def encode(self, sentences: Sequence[Sentence], length: int | None = None) -> Arrays:
        """Sentences as rows of numbers: the tokens, the end symbol, then padding. The begin symbol is in none.

        Args:
            sentences: Of any split.
            length: Of a row, the end symbol included; by default as long as the longest sentence needs.

        Returns:
            `tokens`, int32 (examples, length), and `lengths`, int32 (examples,): tokens and end symbol.

        Raises:
            InputError: If a token has no number, or a sentence does not fit.
        """
        lengths = np.array([len(sentence) + 1 for sentence in sentences], np.int32)
        longest = int(lengths.max(initial=1))
        if length is not None and longest > length:
            raise InputError(
                f"a sentence of {longest - 1} tokens and its end do not fit into rows of {length}: make them longer"
            )
        # The padding is 0.
        rows = np.zeros((len(sentences), length or longest), np.int32)
        for index, sentence in enumerate(sentences):
            rows[index, : len(sentence)] = self._numbers(sentence, index)
            rows[index, len(sentence)] = self._number_of[END]
        return {"tokens": rows, "lengths": lengths}

    def decode(self, tokens: ArrayLike) -> list[Sentence]:
        """The sentences of rows of numbers, each up to its first end symbol, without padding and begin.

        Args:
            tokens: (examples, length), as `encode` makes them or a model draws them.

        Raises:
            InputError: If a number stands for no token.
        """
        rows = np.asarray(tokens)
        if rows.size and (rows.min() < 0 or rows.max() >= len(self)):
            raise InputError(
                f"numbers from {rows.min()} to {rows.max()} are no rows of this vocabulary: they must lie from 0 to "
                f"{len(self) - 1}"
            )
        sentences = []
        for row in rows.tolist():
            end = row.index(self._number_of[END]) if self._number_of[END] in row else len(row)
            sentences.append(
                tuple(self.tokens[number] for number in row[:end] if self.tokens[number] not in (PAD, BEGIN))
            )
        return sentences

    @functools.cached_property
    def _number_of(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.tokens)}

    def _numbers(self, sentence: Sentence, index: int) -> list[int]:
        # A special symbol is no token of a text.
        numbers = [self._number_of.get(token, 0) for token in sentence]
        if min(numbers, default=3) >= len(_SPECIAL):
            return numbers
        if self.unknown is None:
            token = next(token for token, number in zip(sentence, numbers, strict=True) if number < len(_SPECIAL))
            text = (" " if any(len(each) > 1 for each in sentence) else "").join(sentence)
            raise InputError(
                f"sentence {index + 1}, {text!r:.60}, has {token!r}, which is not among the {len(self)} tokens of the "
                "training set: leave it out, or train with one symbol for such, as the workload's unknown=true"
            )
        return [number if number >= len(_SPECIAL) else self._number_of[self.unknown] for number in numbers]
