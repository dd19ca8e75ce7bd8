"""Advice is what the published runs say, and no more."""

from pathlib import Path

import pandas as pd
import pytest

import bench
from bench.results.judging.advice import MENDED, MOST, Advice, advice_for, mended

REFERENCE = Path(bench.__file__).parents[1] / "results" / "reference"
SUITES = ("quick", "elsewhere", "catalogue", "foretell")


def summary(*rows):
    heads = ("workload", "arm", "family", "verdict", "left", "seeds")
    return pd.DataFrame(rows, columns=heads)


def test_the_constants_are_what_the_published_runs_say():
    published = [pd.read_csv(REFERENCE / suite / "summary.csv") for suite in SUITES]
    assert mended(pd.concat(published, ignore_index=True)) == MENDED
    assert all(len(each) <= MOST for each in MENDED.values())


def test_pairs_differ_in_one_remedy_and_the_first_is_stuck_with_the_finding():
    found = mended(summary(
        ("digits", "baseline", "base", "vanishing", 0, 3),
        ("digits", "trainable", "base", "healthy", 3, 3),
        ("digits", "tanh", "activation", "healthy", 3, 3),
        ("digits", "relu", "activation", "dead signal", 1, 3),
        ("digits", "relu+he_normal", "several", "healthy", 2, 3),
        # Of a first that is not stuck nothing is mended; nor by a base.
        ("digits", "trainable+tanh", "activation", "healthy", 3, 3),
        ("text", "baseline", "base", "vanishing", 0, 3),
        ("text", "tanh", "activation", "vanishing", 1, 3),
        # Run by another suite too.
        ("digits", "tanh", "activation", "healthy", 3, 3),
        ("text", "relu", "activation", "vanishing", float("nan"), 3),
    ))  # fmt: skip
    assert found == {"vanishing": (Advice("tanh", 1, 2),), "dead signal": (Advice("he_normal", 1, 1),)}


@pytest.mark.parametrize("word", ["healthy", "exploding", "not finite"])
def test_of_what_no_run_tells_nothing_is_advised(word):
    assert advice_for(word) == ()
