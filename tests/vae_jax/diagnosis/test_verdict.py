import math

import pytest

from vae_jax.diagnosis.verdict import (
    ADDRESSED_BY,
    EXPLODED,
    FLAT,
    PARALLEL,
    RULES,
    UNUSED_NATS,
    VANISHED,
    Code,
    judge,
    ratio_of_norms,
)

UNUSED = Code(kl_nats=0.0, active_units=0, reconstruction_share=0.02)


@pytest.mark.parametrize(
    ("word", "figures", "code"),
    [
        ("healthy", (1.0, 0.1, 0.1), Code(2.0, 5, 0.8)),
        # What is used at the end has been reached, whatever the start was like.
        ("healthy", (VANISHED / 2, 0.99, 0.1), Code(UNUSED_NATS, 1, 0.8)),
        ("vanishing", (VANISHED / 2, 0.99, 0.1), UNUSED),
        # A KL without an active unit says the same of every example, as free bits can have it.
        ("vanishing", (VANISHED / 2, 0.99, 0.1), Code(0.4, 0, 0.5)),
        ("saturated", (VANISHED / 2, 0.99, FLAT + 0.01), UNUSED),
        ("exploding", (EXPLODED * 2, 0.1, 0.1), UNUSED),
        ("exploding", (math.nan, 0.1, 0.1), UNUSED),
        ("dead signal", (1.0, PARALLEL + 0.01, 0.5), UNUSED),
        ("collapsed", (1.0, PARALLEL - 0.01, 0.5), UNUSED),
        ("healthy", (1.0, 0.1, 0.1), None),
        ("healthy", (1.0, None, None), None),
        ("dead signal", (1.0, PARALLEL + 0.01, None), None),
        ("vanishing", (0.0, None, None), None),
        # Too few blocks to lose a gradient on: the other rules hold all the same.
        ("healthy", (None, 0.1, 0.1), None),
        ("healthy", (None, 0.1, 0.1), Code(3.0, 4, 0.5)),
        ("collapsed", (None, 0.1, 0.1), UNUSED),
        ("dead signal", (None, PARALLEL + 0.01, 0.1), UNUSED),
        ("saturated", (None, 0.1, FLAT + 0.01), UNUSED),
    ],
)
def test_one_word_and_why(word, figures, code):
    ratio, cosine, flat = figures
    verdict = judge(ratio, cosine, flat, code)
    assert verdict.word == word
    assert verdict.because


def test_a_path_that_is_alive_is_told_from_one_that_is_dead():
    assert "from the reconstruction is dead, 2%" in judge(1.0, 0.1, 0.1, UNUSED).because
    assert "from the reconstruction is alive, 80%" in judge(1.0, 0.1, 0.1, Code(0.0, 0, 0.8)).because


def test_the_rules_say_every_word():
    assert [rule.partition(":")[0] for rule in RULES] == [
        "healthy", "saturated", "vanishing", "exploding", "dead signal", "collapsed",
    ]  # fmt: skip
    assert set(ADDRESSED_BY) == {rule.partition(":")[0] for rule in RULES}


def test_the_words_say_where_the_ratio_is_taken():
    """At the first block, not at the input layer before it."""
    because = [judge(ratio, 0.1, 0.1).because for ratio in (0.0, VANISHED / 2, 2 * EXPLODED)]
    rules = [rule for rule in RULES if rule.startswith("vanishing")]
    assert all("at the first block" in said for said in (*rules, *because))


@pytest.mark.parametrize(
    ("first", "last", "ratio", "word"),
    [
        (0.02, 0.1, 0.2, "healthy"),
        (0.1, 0.0, math.inf, "exploding"),
        # Nothing at either end is not as much at one as at the other.
        (0.0, 0.0, 0.0, "vanishing"),
        (0.0, math.inf, 0.0, "vanishing"),
        (math.nan, 0.0, math.nan, "exploding"),
    ],
)
def test_a_gradient_that_does_not_come_back_has_vanished(first, last, ratio, word):
    found = ratio_of_norms(first, last)
    assert found == pytest.approx(ratio, nan_ok=True)
    assert judge(found, 0.1, 0.1).word == word
