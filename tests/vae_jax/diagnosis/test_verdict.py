import math
from pathlib import Path

import pandas as pd
import pytest

from vae_jax.diagnosis.layers.ratios import ratio_of_norms
from vae_jax.diagnosis.verdict import LIMITS, RULES, STRENGTHS, UNUSED_NATS, WORDS, Code, judge

ROOT = Path(__file__).parents[3]
UNUSED = Code(kl_nats=0.0, active_units=0, reconstruction_share=0.02)
VANISHED, EXPLODED, SHARED, FLAT = (
    LIMITS[word].rescaling for word in ("vanishing", "exploding", "dead signal", "saturated")
)


def judged(ratio, shared, flat, code=None, rescales=True):
    return judge(ratio, shared, flat, code, rescales=rescales)


@pytest.mark.parametrize(
    ("word", "figures", "code"),
    [
        ("healthy", (1.0, 0.0, 0.1), Code(2.0, 5, 0.8)),
        # What is used at the end has been reached, whatever the start was like.
        ("healthy", (VANISHED / 2, 0.99, 0.1), Code(UNUSED_NATS, 1, 0.8)),
        ("vanishing", (VANISHED / 2, 0.99, 0.1), UNUSED),
        # A KL without an active unit says the same of every example, as free bits can have it.
        ("vanishing", (VANISHED / 2, 0.99, 0.1), Code(0.4, 0, 0.5)),
        ("saturated", (VANISHED / 2, 0.99, FLAT + 0.01), UNUSED),
        ("exploding", (EXPLODED * 2, 0.0, 0.1), UNUSED),
        ("exploding", (math.nan, 0.0, 0.1), UNUSED),
        ("dead signal", (1.0, SHARED + 0.01, 0.5), UNUSED),
        ("collapsed", (1.0, SHARED - 0.01, 0.5), UNUSED),
        ("collapsed", (1.0, None, 0.5), UNUSED),
        ("healthy", (1.0, 0.0, 0.1), None),
        ("healthy", (1.0, None, None), None),
        # Without a KL term beside it, a gradient that says the same to all foretells nothing.
        ("healthy", (1.0, 0.99, None), None),
        ("vanishing", (0.0, None, None), None),
        # Too few blocks to lose a gradient on: the other rules hold all the same.
        ("healthy", (None, 0.0, 0.1), None),
        ("healthy", (None, 0.0, 0.1), Code(3.0, 4, 0.5)),
        ("collapsed", (None, 0.0, 0.1), UNUSED),
        ("dead signal", (None, SHARED + 0.01, 0.1), UNUSED),
        ("saturated", (None, 0.0, FLAT + 0.01), UNUSED),
    ],
)
def test_one_word_and_why(word, figures, code):
    ratio, shared, flat = figures
    verdict = judged(ratio, shared, flat, code)
    assert verdict.word == word
    assert verdict.because


def test_a_limit_is_another_under_an_optimizer_that_rescales():
    """A gradient of a thousandth moves the weights of SGD a thousandth as far, and those of Adam as far as any."""
    words = {ratio: [judged(ratio, 0.0, 0.0, UNUSED, by).word for by in (False, True)] for ratio in (1e-3, 1e-5)}
    assert words == {1e-3: ["vanishing", "collapsed"], 1e-5: ["vanishing", "vanishing"]}
    said = next(rule for rule in RULES if rule.startswith("vanishing"))
    assert all(f"{limit:g}" in said for limit in LIMITS["vanishing"])


def test_a_path_that_is_alive_is_told_from_one_that_is_dead():
    assert "from the reconstruction is dead, 2%" in judged(1.0, 0.1, 0.1, UNUSED).because
    assert "from the reconstruction is alive, 80%" in judged(1.0, 0.1, 0.1, Code(0.0, 0, 0.8)).because


def test_the_rules_say_every_word():
    assert [rule.partition(":")[0] for rule in RULES] == [
        "healthy", "saturated", "vanishing", "exploding", "dead signal", "collapsed",
    ]  # fmt: skip
    assert {"not finite", "passes no gradient", *(rule.partition(":")[0] for rule in RULES)} == set(WORDS)


def test_the_words_say_where_the_ratio_is_taken():
    """At the first block, not at the input layer before it."""
    because = [judged(ratio, 0.1, 0.1).because for ratio in (0.0, VANISHED / 2, 2 * EXPLODED)]
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
    assert judged(found, 0.1, 0.1).word == word


def test_the_strengths_are_those_of_the_suite_that_found_them():
    """Of the networks of `foretell` that a rule names at their first step, how many left all the same."""
    table = pd.read_parquet(ROOT / "results" / "reference" / "foretell" / "networks.parquet")
    named = table.loc[table["word"].isin([*LIMITS])].groupby(["word", "rescales"])["left"].agg(["sum", "size"])
    told = {
        (word, rescales): tuple(strength)
        for word, both in STRENGTHS.items()
        for rescales, strength in zip((False, True), both, strict=True)
        if strength.networks
    }
    assert told == {key: tuple(row) for key, row in named.iterrows()}
