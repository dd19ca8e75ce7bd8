"""Text for a workload: by name, as characters or words, in rows of numbers."""

from dataclasses import replace

import numpy as np

from bench.data.chosen import choose
from bench.data.dataset import Dataset
from bench.data.splits import Arrays, Sentence, Sentences, Splits
from bench.data.text.encoding import encode_splits
from bench.language.arms import NAME
from bench.language.errors import InputError

TOKENS = ("usual", "characters", "words")
"""As a data set has them, or otherwise."""

_UNKNOWN = "<unk>"


def sentences(
    data: str, tokens: str = "usual", length: int = 0, at_least: int = 1, examples: int = 0, unknown: bool = False
) -> Dataset:
    """The sentences that a workload's `data` names, in rows of numbers, with the frequencies of symbols as their mean.

    Args:
        data: As for `choose`.
        tokens: One of `TOKENS`.
        length: Tokens of the longest sentence that is taken; 0 for all.
        at_least: How often a token must occur in training; what is rarer is one symbol.
        examples: How many of the training set to use; 0 for all.
        unknown: Whether tokens that training does not show are one symbol, where the data set itself does not say so.

    Raises:
        InputError: If there is no such set or file, it holds no text, or a token has no number.
    """
    if tokens not in TOKENS:
        raise InputError(f"tokens must be one of {', '.join(TOKENS)}, got {tokens!r}")
    for name, number in (("length", length), ("examples", examples)):
        if number < 0:
            raise InputError(f"{name} must be at least 0, which is for all, got {number}")
    splits: Splits[Sentences] = choose(data, ("text",), examples=examples, words=tokens == "words").splits()
    # A file of one's own was read as it was asked for.
    if NAME.fullmatch(data) and tokens != "usual" and (tokens == "words") != _of_words(splits.train):
        splits = splits.map(lambda rows: [_as(tokens, sentence) for sentence in rows])
        # Words that are seldom are many more than characters that are.
        unknown = unknown or tokens == "words"
    if splits.unknown is None and (unknown or at_least > 1):
        splits = replace(splits, unknown=_UNKNOWN)
    rows, vocabulary = encode_splits(splits, length or None, at_least=at_least)
    mean = symbol_frequencies(rows.train, len(vocabulary))
    tokens_of_one = float(rows.test["lengths"].mean())
    return Dataset(
        rows.train, rows.validation, rows.test, mean,
        description=rows.description, vocabulary=vocabulary, tokens=tokens_of_one,
    )  # fmt: skip


def symbol_frequencies(rows: Arrays, symbols: int) -> np.ndarray:
    """How often each symbol is one that is to be told, ends counted and padding not."""
    there = np.arange(rows["tokens"].shape[1]) < rows["lengths"][:, None]
    counts = np.bincount(rows["tokens"][there], minlength=symbols)
    return (counts / counts.sum()).astype(np.float32)


def _of_words(rows: Sentences) -> bool:
    return any(len(token) > 1 for sentence in rows for token in sentence)


def _as(tokens: str, sentence: Sentence) -> Sentence:
    return tuple("".join(sentence).split()) if tokens == "words" else tuple(" ".join(sentence))
