import numpy as np
import pytest

from bench.data.text.bigrams import bigram_nats
from bench.data.text.vocabulary import Vocabulary
from vae_jax.models import presentations

TRAIN = [("a", "b", "b"), ("a",), ("b", "a")]
VOCABULARY = Vocabulary.of(TRAIN, unknown="?")


def by_hand(*sentences):
    """Interpolated Witten-Bell and single tokens, by counting in lists: the cheaper of both."""
    symbols, pairs, costs = len(VOCABULARY), [], np.zeros(2)
    for each in TRAIN:
        pairs += list(zip(["<begin>", *each], [*each, "<end>"], strict=True))
    singles = [after for _, after in pairs]
    for sentence in sentences:
        for before, token in zip(["<begin>", *sentence], [*sentence, "<end>"], strict=True):
            types = len(set(singles))
            own = (singles.count(token) + types / symbols) / (len(singles) + types)
            followers = [after for first, after in pairs if first == before]
            different = max(len(set(followers)), 1)
            together = (followers.count(token) + different * own) / (len(followers) + different)
            costs -= np.log([together, own])
    return costs.min() / len(sentences)


def test_a_sentence_costs_what_counting_says():
    train = VOCABULARY.encode(TRAIN, 6)
    for sentence in (("a", "b"), ("b", "b", "b", "a", "b"), ("?", "a"), ("a", "?")):
        # Whatever stands behind the end.
        rows = VOCABULARY.encode([sentence], 6)
        rows["tokens"][0, len(sentence) + 1 :] = 4
        assert bigram_nats(train, rows, len(VOCABULARY)) == pytest.approx(by_hand(sentence), rel=1e-12)
    both = VOCABULARY.encode([("a", "b"), ("b",)], 6)
    assert bigram_nats(train, both, len(VOCABULARY)) == pytest.approx(by_hand(("a", "b"), ("b",)))


def test_the_special_symbols_have_the_numbers_that_the_mathematics_knows_them_by():
    numbers = (presentations.PAD, presentations.BEGIN, presentations.END)
    assert [VOCABULARY.tokens[number] for number in numbers] == ["<pad>", "<begin>", "<end>"]
