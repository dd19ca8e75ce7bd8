import math

import numpy as np
import pytest

from bench.data.text.bigrams import bigram_nats
from bench.data.text.vocabulary import Vocabulary
from vae_jax.models import presentations

TRAIN = [("a", "b", "b"), ("a",), ("b", "a")]
VOCABULARY = Vocabulary.of(TRAIN, unknown="?")


def by_hand(sentence):
    """Interpolated Witten-Bell, by counting in lists."""
    symbols, pairs = len(VOCABULARY), []
    for each in TRAIN:
        pairs += list(zip(["<begin>", *each], [*each, "<end>"], strict=True))
    singles, cost = [after for _, after in pairs], 0.0
    for before, token in zip(["<begin>", *sentence], [*sentence, "<end>"], strict=True):
        types = len(set(singles))
        own = (singles.count(token) + types / symbols) / (len(singles) + types)
        followers = [after for first, after in pairs if first == before]
        different = max(len(set(followers)), 1)
        cost -= math.log((followers.count(token) + different * own) / (len(followers) + different))
    return cost


def test_a_sentence_costs_what_counting_says():
    train = VOCABULARY.encode(TRAIN, 6)
    for sentence in (("a", "b"), ("b", "b", "b", "a", "b"), ("?", "a"), ("a", "?")):
        # Whatever stands behind the end.
        rows = VOCABULARY.encode([sentence], 6)
        rows["tokens"][0, len(sentence) + 1 :] = 4
        assert bigram_nats(train, rows, len(VOCABULARY)) == pytest.approx(by_hand(sentence), rel=1e-12)
    both = VOCABULARY.encode([("a", "b"), ("b",)], 6)
    assert bigram_nats(train, both, len(VOCABULARY)) == pytest.approx((by_hand(("a", "b")) + by_hand(("b",))) / 2)


def test_the_probabilities_of_what_may_follow_sum_to_one():
    train, symbols = VOCABULARY.encode(TRAIN, 6), len(VOCABULARY)
    for before in range(1, symbols):
        # The last of two tokens is each symbol in turn.
        rows = {"tokens": np.array([[before, last] for last in range(symbols)]), "lengths": np.full(symbols, 2)}
        alone = {"tokens": rows["tokens"], "lengths": np.full(symbols, 1)}
        total = sum(
            math.exp(-bigram_nats(train, {k: v[i : i + 1] for k, v in rows.items()}, symbols)
                     + bigram_nats(train, {k: v[i : i + 1] for k, v in alone.items()}, symbols))
            for i in range(symbols)
        )  # fmt: skip
        assert total == pytest.approx(1, rel=1e-12)


def test_the_special_symbols_have_the_numbers_that_the_mathematics_knows_them_by():
    numbers = (presentations.PAD, presentations.BEGIN, presentations.END)
    assert [VOCABULARY.tokens[number] for number in numbers] == ["<pad>", "<begin>", "<end>"]
