"""Sentences in which words far apart must agree, from a small grammar: text that needs no download."""

import functools

import numpy as np

from bench.data.named_data import named_data
from bench.data.splits import Sentences, Splits
from bench.data.text.grammar import Choice, Grammar

# Each theme has nouns of its own, singular and plural.
_NOUNS = {
    "farm": (("cow", "cows"), ("goat", "goats"), ("horse", "horses")),
    "sea": (("whale", "whales"), ("seal", "seals"), ("crab", "crabs")),
    "town": (("tram", "trams"), ("taxi", "taxis"), ("truck", "trucks")),
}
_NUMBERS = ("singular", "plural")
_DETERMINERS = (("the", "one"), ("the", "some"))
_TRANSITIVE = (("sees", "follows", "passes"), ("see", "follow", "pass"))
_INTRANSITIVE = (("waits", "turns"), ("wait", "turn"))
# The first of a kind is the commonest.
_WEIGHTS = (3.0, 2.0, 1.0)

_SIZES = (4_000, 500, 500)
_MANY = (40_000, 1_000, 1_000)
_SEED = 0


def _words(*words: str) -> tuple[Choice, ...]:
    return tuple(zip(_WEIGHTS, words, strict=False))


def _rules() -> dict[str, tuple[Choice, ...]]:
    rules: dict[str, tuple[Choice, ...]] = {
        "sentence": tuple((1.0, f"clause.{theme}.{number}") for theme in _NOUNS for number in _NUMBERS),
        "adjective": _words("old", "small", "quiet"),
        "preposition": _words("near", "behind"),
        "adverb": _words("here", "again"),
        "ending": ((2.0, ""), (1.0, "adverb")),
    }
    for form, number in enumerate(_NUMBERS):
        rules[f"determiner.{number}"] = _words(*_DETERMINERS[form])
        rules[f"transitive.{number}"] = _words(*_TRANSITIVE[form])
        rules[f"intransitive.{number}"] = _words(*_INTRANSITIVE[form])
    for theme, nouns in _NOUNS.items():
        rules[f"any.{theme}"] = tuple((1.0, f"noun.{theme}.{number}") for number in _NUMBERS)
        rules[f"object.{theme}"] = tuple((1.0, f"determiner.{n} noun.{theme}.{n}") for n in _NUMBERS)
        # What stands between a subject and its verb, and may be of another number.
        rules[f"between.{theme}"] = (
            (2.0, ""),
            (1.0, f"preposition the any.{theme}"),
            *((0.5, f"that the noun.{theme}.{n} transitive.{n}") for n in _NUMBERS),
        )
        for form, number in enumerate(_NUMBERS):
            rules[f"noun.{theme}.{number}"] = _words(*(pair[form] for pair in nouns))
            subject = f"noun.{theme}.{number} between.{theme} predicate.{theme}.{number}"
            rules[f"clause.{theme}.{number}"] = tuple(
                (1.0, f"determiner.{number} {adjective}{subject}") for adjective in ("", "adjective ")
            )
            rules[f"predicate.{theme}.{number}"] = (
                (1.0, f"intransitive.{number} adverb"),
                (2.0, f"transitive.{number} object.{theme} ending"),
            )
    return rules


AGREEMENT = Grammar(_rules(), "sentence")
"""Sentences of 4 to 11 of 39 words; no sentence has two derivations.

A sentence has something worth coding: its theme decides all its nouns, and the number of its subject the verb, over
what may stand between them and have another number.
"""


@named_data(kind="text", examples=sum(_SIZES), licence="this project's")
def agreement() -> Splits[Sentences]:
    """5,000 sentences of 4 to 11 of 39 words from a grammar by which the probability of each is known exactly.

    "the old cow that the goats see waits here": the subject's number decides a verb that stands far away.

    Source:
        This project: `bench/data/sets/agreement.py`.
    """
    return _drawn(_SIZES, _SEED)


@named_data(kind="text", examples=sum(_MANY), licence="this project's")
def agreement_large() -> Splits[Sentences]:
    """42,000 sentences of the same grammar: as many as it takes to learn its probabilities, not its sentences.

    Source:
        This project: `bench/data/sets/agreement.py`.
    """
    return _drawn(_MANY, _SEED + 1)


@functools.cache
def _drawn(sizes: tuple[int, ...], seed: int) -> Splits[Sentences]:
    generator = np.random.default_rng(seed)
    splits = ([AGREEMENT.draw(generator) for _ in range(size)] for size in sizes)
    return Splits(
        *splits,
        description=f"Drawn from the grammar one by one with seed {seed}, so that a sentence may come again in any "
        f"split: {' / '.join(f'{size:,}' for size in sizes)} sentences, "
        f"whose exact entropy is {AGREEMENT.entropy:.2f} nats.",
    )
