import itertools
import math
from collections import Counter, defaultdict

import numpy as np
import pytest

from bench.data.sets.agreement import AGREEMENT, agreement
from bench.data.splits import count
from bench.data.text.grammar import Grammar

SMALL = Grammar(
    {
        "s": ((3.0, "a b"), (1.0, "b x"), (2.0, "")),
        "a": ((1.0, "x"), (1.0, "x y")),
        "b": ((1.0, "y"), (4.0, "z"), (1.0, "y y")),
    },
    "s",
)


@pytest.fixture(scope="module")
def language():
    return list(AGREEMENT.derivations())


def brute_force(grammar):
    """Every sentence with its probability, by rewriting the first symbol until none is left."""
    waiting, found = [((grammar.start,), 1.0)], defaultdict(float)
    while waiting:
        form, probability = waiting.pop()
        place = next((index for index, each in enumerate(form) if each in grammar.rules), None)
        if place is None:
            found[form] += probability
            continue
        choices = grammar.rules[form[place]]
        total = sum(weight for weight, _ in choices)
        waiting += [
            ((*form[:place], *text.split(), *form[place + 1 :]), probability * weight / total)
            for weight, text in choices
        ]
    return found


def test_every_string_of_a_small_grammar_has_the_probability_that_rewriting_gives_it():
    expected = brute_force(SMALL)
    # x y y has two derivations, which are summed.
    assert math.fsum(expected.values()) == pytest.approx(1, abs=1e-15)
    for length in range(5):
        for sentence in itertools.product("xyz", repeat=length):
            assert math.exp(SMALL.log_probability(sentence)) == pytest.approx(expected.get(sentence, 0), abs=1e-15)


def test_the_share_of_sentences_of_a_size_is_that_of_all_that_there_are():
    sizes = {"x": 1, "y": 2, "z": 3}
    whole = brute_force(SMALL)
    for limit in range(8):
        for size in (len, sizes.__getitem__):
            expected = math.fsum(share for each, share in whole.items() if sum(map(size, each)) <= limit)
            assert SMALL.share_within(limit, size) == pytest.approx(expected, abs=1e-15)


def test_what_is_derived_is_what_rewriting_gives():
    found = defaultdict(float)
    for sentence, probability in SMALL.derivations():
        found[sentence] += probability
    assert found == pytest.approx(brute_force(SMALL))


def test_the_probabilities_of_the_language_sum_to_one_and_no_sentence_is_derived_twice(language):
    assert math.fsum(probability for _, probability in language) == pytest.approx(1, abs=1e-12)
    assert len({sentence for sentence, _ in language}) == len(language) == 499_968


def test_the_probability_of_a_sentence_is_that_of_its_derivation(language):
    for index in np.random.default_rng(0).choice(len(language), 1_000, replace=False):
        sentence, probability = language[index]
        assert AGREEMENT.log_probability(sentence) == pytest.approx(math.log(probability), abs=1e-12)


def test_the_entropy_is_the_mean_over_the_language(language):
    mean = -math.fsum(probability * math.log(probability) for _, probability in language)
    assert AGREEMENT.entropy == pytest.approx(mean, abs=1e-10)


def test_sentences_are_short_of_few_words_and_agree(language):
    assert {len(sentence) for sentence, _ in language} == set(range(4, 12))
    assert len(AGREEMENT.words) == 39 == len({word for sentence, _ in language for word in sentence})
    known = AGREEMENT.log_probability
    assert known(("the", "old", "cow", "that", "the", "goats", "see", "waits", "here")) > -math.inf
    # The verb's number, the inner verb's, the theme, the end.
    for wrong in ("wait", "sees", "whales"):
        sentence = ["the", "old", "cow", "that", "the", "goats", "see", "waits", "here"]
        sentence[{"wait": 7, "sees": 6, "whales": 5}[wrong]] = wrong
        assert known(tuple(sentence)) == -math.inf
    assert known(("the", "cow", "waits")) == known(()) == known(("cow",)) == -math.inf


def test_what_is_drawn_has_the_frequencies_of_the_grammar(language):
    generator = np.random.default_rng(1)
    drawn = [AGREEMENT.draw(generator) for _ in range(10_000)]
    log_probabilities = np.array([AGREEMENT.log_probability(sentence) for sentence in drawn])
    error = log_probabilities.std() / math.sqrt(len(drawn))
    assert -log_probabilities.mean() == pytest.approx(AGREEMENT.entropy, abs=4 * error)
    lengths, expected = Counter(map(len, drawn)), defaultdict(float)
    for sentence, probability in language:
        expected[len(sentence)] += probability
    chi_squared = sum(
        (lengths[length] - len(drawn) * share) ** 2 / (len(drawn) * share) for length, share in expected.items()
    )
    # 7 degrees of freedom: above 29 once in 8,000 times.
    assert chi_squared < 29


def test_a_symbol_that_contains_itself_is_refused():
    with pytest.raises(ValueError, match="cycle"):
        Grammar({"s": ((1.0, "x s"), (1.0, "x"))}, "s")


def test_the_data_set_is_drawn_the_same_every_time():
    first, again = agreement(), agreement(examples=100)
    assert first.sizes == (4_000, 500, 500)
    assert first.test == again.test
    assert count(again.train) == 100
    assert len({*first.train, *first.validation, *first.test}) > 4_000
    assert all(AGREEMENT.log_probability(sentence) > -math.inf for sentence in first.validation)
    assert "whose exact entropy is 10.91 nats" in first.description
