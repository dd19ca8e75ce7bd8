import math

import pytest

from bench.results.judging.comparison import compare, least_difference, words
from bench.results.judging.score import NEGATIVE_ELBO, squared_error

BASE = dict(enumerate([23.4, 23.5, 23.3, 23.6, 23.4]))


def beside(*shifts, seeds=5):
    """Arms that lie so far below the base, with a little luck of their own."""
    luck = (0.01, -0.01, 0.02, 0.0, -0.02)
    base = {seed: BASE[seed] for seed in range(seeds)}
    own = {str(shift): {seed: value - shift + luck[seed] for seed, value in base.items()} for shift in shifts}
    return compare({arm: ("base", scores, base) for arm, scores in own.items()}, least_difference(NEGATIVE_ELBO, 27.2))


def test_each_word_by_its_rule():
    found = beside(0.5, -0.5, 0.05, 0.0)
    assert [each.word for each in found.values()] == ["better", "worse", *["no difference shown"] * 2]
    # As sure as the others, and too small to be worth a word.
    assert found["0.05"].p < 0.05
    assert found["0.5"].difference.mean == pytest.approx(-0.5)
    assert found["0.0"].text == "no difference shown (±0.02)"
    assert found["0.5"].text == "better"


def test_few_seeds_are_a_screen_and_one_is_too_few():
    assert beside(0.5, seeds=4)["0.5"].word == "better, screened"
    assert beside(0.5, seeds=1)["0.5"].word == "too few seeds"
    assert math.isnan(beside(0.5, seeds=1)["0.5"].p)


def test_only_common_seeds_are_pairs():
    found = compare({"arm": ("base", {3: 1.0, 4: 1.1, 9: 50.0}, {3: 2.0, 4: 2.1, 5: 0.0})}, 0.1)["arm"]
    assert found.seeds == 2
    assert found.difference.mean == pytest.approx(-1)


def test_equal_scores_are_no_difference():
    found = compare({"arm": ("base", BASE, BASE)}, 0.1)["arm"]
    assert (found.p, found.word) == (1, "no difference shown")


def test_arms_are_adjusted_for_one_another():
    alone = beside(0.0)["0.0"].p
    assert beside(0.0, 0.001, 0.002)["0.0"].p == pytest.approx(min(1, 3 * alone))


def test_the_least_difference_is_the_scores():
    assert least_difference(NEGATIVE_ELBO, 27.2) == 0.1
    assert least_difference(squared_error("squared error", "per image", 784), 52.75) == pytest.approx(0.211)


def test_the_words_are_made_of_the_numbers():
    said = " ".join(words(NEGATIVE_ELBO, 27.2, seeds=5))
    for told in ("over all 5 seeds", "Holm's", "above 0.1 nats", "at 5%"):
        assert told in said
    assert "screen" not in said
    assert "this is a screen" in " ".join(words(NEGATIVE_ELBO, 27.2, seeds=3))
