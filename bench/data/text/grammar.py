"""A probabilistic grammar of finitely many sentences: draws, and the exact probability of each."""

import functools
import graphlib
import itertools
import math
from bisect import bisect
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from bench.data.splits import Sentence

Choice = tuple[float, str]
"""A weight, and what a symbol is rewritten to: symbols and words between spaces."""


@dataclass(frozen=True, eq=False)
class Grammar:
    """A context-free grammar, each rewriting drawn by its weight, without a symbol that contains itself.

    Attributes:
        rules: For each symbol its choices; whatever has no rule is a word.
        start: The symbol of a sentence.
    """

    rules: Mapping[str, tuple[Choice, ...]]
    start: str

    def __post_init__(self):
        """Raise a ValueError where a symbol contains itself: then there are sentences without end."""
        below = {
            symbol: {each for _, text in choices for each in text.split()} for symbol, choices in self.rules.items()
        }
        graphlib.TopologicalSorter(below).prepare()

    @property
    def words(self) -> frozenset[str]:
        """Every word that occurs in a sentence."""
        return frozenset(
            each
            for choices in self.rules.values()
            for _, text in choices
            for each in text.split()
            if each not in self.rules
        )

    def draw(self, generator: np.random.Generator) -> Sentence:
        """One sentence.

        Args:
            generator: Of random numbers, one for each rewriting.
        """
        waiting, words = [self.start], []
        while waiting:
            symbol = waiting.pop()
            if symbol in self._choices:
                ends, texts = self._ends[symbol]
                waiting += reversed(texts[min(bisect(ends, generator.random()), len(ends) - 1)])
            else:
                words.append(symbol)
        return tuple(words)

    def log_probability(self, sentence: Sentence) -> float:
        """The logarithm of the probability of a whole sentence, in nats; minus infinity for what is none.

        That is the sum over its tokens and its end symbol of the log-probability of each after those before it: what a
        language model's negative log-likelihood is to be held against. All derivations are summed.

        Args:
            sentence: Words.
        """

        @functools.cache
        def ends(symbol: str, at: int) -> dict[int, float]:
            """Where a symbol that begins at a place can end in this sentence, with the probability of each."""
            if symbol not in self._choices:
                return {at + 1: 1.0} if at < len(sentence) and sentence[at] == symbol else {}
            found = defaultdict[int, float](float)
            for probability, symbols in self._choices[symbol]:
                reached: dict[int, float] = {at: probability}
                for each in symbols:
                    further = defaultdict[int, float](float)
                    for place, so_far in reached.items():
                        for end, factor in ends(each, place).items():
                            further[end] += so_far * factor
                    reached = further
                for end, total in reached.items():
                    found[end] += total
            return found

        probability = ends(self.start, 0).get(len(sentence), 0.0)
        return math.log(probability) if probability else -math.inf

    def share_within(self, limit: int, size: Callable[[str], int]) -> float:
        """The probability that a sentence's words have so much size together at most.

        Args:
            limit: Above which a sentence is left out.
            size: Of a word.
        """

        @functools.cache
        def sizes(symbol: str) -> dict[int, float]:
            if symbol not in self._choices:
                return {size(symbol): 1.0}
            found = defaultdict[int, float](float)
            for probability, symbols in self._choices[symbol]:
                reached: dict[int, float] = {0: probability}
                for each in symbols:
                    further = defaultdict[int, float](float)
                    for before, so_far in reached.items():
                        for own, factor in sizes(each).items():
                            further[before + own] += so_far * factor
                    reached = further
                for total, share in reached.items():
                    found[total] += share
            return found

        return math.fsum(share for total, share in sizes(self.start).items() if total <= limit)

    def derivations(self) -> Iterator[tuple[Sentence, float]]:
        """Every way to derive a sentence, with its probability; of an unambiguous grammar, every sentence once."""

        @functools.cache
        def texts(symbol: str) -> list[tuple[Sentence, float]]:
            return list(derived(symbol))

        def derived(symbol: str) -> Iterator[tuple[Sentence, float]]:
            for probability, symbols in self._choices.get(symbol, ()):
                for parts in itertools.product(*map(texts, symbols)):
                    words = tuple(itertools.chain.from_iterable(part for part, _ in parts))
                    yield words, math.prod((factor for _, factor in parts), start=probability)
            if symbol not in self._choices:
                yield (symbol,), 1.0

        yield from derived(self.start)

    @functools.cached_property
    def entropy(self) -> float:
        """Mean of minus the log-probability of a sentence, in nats, if no sentence has two derivations.

        No model's negative log-likelihood is below it, but by chance.
        """

        @functools.cache
        def of(symbol: str) -> float:
            return sum(
                probability * (-math.log(probability) + sum(map(of, symbols)))
                for probability, symbols in self._choices.get(symbol, ())
            )

        return of(self.start)

    @functools.cached_property
    def _choices(self) -> dict[str, list[tuple[float, tuple[str, ...]]]]:
        """For each symbol the probabilities of its choices, which sum to 1, and their symbols."""
        totals = {symbol: math.fsum(weight for weight, _ in choices) for symbol, choices in self.rules.items()}
        return {
            symbol: [(weight / totals[symbol], tuple(text.split())) for weight, text in choices]
            for symbol, choices in self.rules.items()
        }

    @functools.cached_property
    def _ends(self) -> dict[str, tuple[list[float], list[tuple[str, ...]]]]:
        """For each symbol where in [0, 1] the share of each choice ends, and the choices."""
        return {
            symbol: (list(itertools.accumulate(p for p, _ in choices)), [symbols for _, symbols in choices])
            for symbol, choices in self._choices.items()
        }
