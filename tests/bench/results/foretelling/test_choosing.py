"""Rules chosen on some kinds and tested on others: against networks whose rule is known, and plain loops."""

import itertools
import math

import numpy as np
import pytest

from bench.results.foretelling.choosing import (
    VERDICT,
    Limit,
    choose,
    limit_words,
    says_they_stay,
    splits,
    splits_table,
    tell,
)
from bench.results.foretelling.networks import Network

KINDS = ("dense", "convolutions", "text", "classifier")


def network(kind, optimizer, left, **readings):
    return Network(
        kind,
        "+".join(map(str, readings.values())),
        (kind, "baseline", optimizer),
        (kind, *readings.values()),
        left,
        {name: (value, math.nan, math.nan) for name, value in readings.items()},
        kind in ("dense", "convolutions"),
        math.nan,
        math.nan,
        math.nan,
        optimizer == "adam",
    )


def networks(seed, kinds=KINDS, count=40, wrong=0.0):
    """Those leave whose gradient keeps within two orders of magnitude, under Adam four, and whose c is below 0.9.

    Readings are such that more of them leaves; the noise is a reading that tells nothing.
    """
    draw = np.random.default_rng(seed)
    made = []
    for kind, optimizer, _ in itertools.product(kinds, ("sgd", "adam"), range(count)):
        gradient, cosine = -draw.uniform(0, 8), -draw.uniform(0.5, 1)
        left = gradient > (-4 if optimizer == "adam" else -2) and cosine > -0.9
        left ^= bool(draw.random() < wrong)
        readings = {"hidden_gradient": gradient, "mean_cosine": cosine, "effective_rank": draw.random()}
        made.append(network(kind, optimizer, bool(left), **readings))
    return made


def test_the_rule_that_made_them_is_found_and_holds_on_the_others():
    made = networks(0, count=120)
    found = splits(made)
    for split in found:
        limits = {limit.instrument: limit for limit in split.rule}
        assert not any(limit.coded for limit in split.rule)
        assert limits.keys() == {"hidden_gradient", "mean_cosine"}
        assert limits["hidden_gradient"].plain == pytest.approx(-2, abs=0.25)
        assert limits["hidden_gradient"].rescaling == pytest.approx(-4, abs=0.25)
        assert (limits["mean_cosine"].plain, limits["mean_cosine"].rescaling) == pytest.approx((-0.9, -0.9), abs=0.04)
        assert min(split.told[:2]) > 0.93
    assert found[-1].tested_on == ()
    assert min(found[-1].told[:2]) == 1


def test_every_half_of_the_kinds_is_chosen_on_once_and_tested_on_the_rest():
    found = splits(networks(1, count=10))
    assert [each.chosen_on for each in found] == [*itertools.combinations(KINDS, 2), KINDS]
    for each in found[:-1]:
        assert {*each.chosen_on, *each.tested_on} == {*KINDS}
        assert not set(each.chosen_on) & set(each.tested_on)
        assert each.told.networks == 40


def test_of_noise_nothing_is_learnt():
    """A rule found on labels that mean nothing tells the others no better than chance."""
    draw = np.random.default_rng(3)
    made = [each._replace(left=bool(draw.random() < 0.5)) for each in networks(2)]
    told = [np.mean(each.told[:2]) for each in splits(made)[:-1]]
    assert np.mean(told) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("seed", range(4))
def test_of_one_reading_the_limits_are_the_best_of_all(seed):
    """Against every pair of limits of every reading, weighed by kinds in a plain loop."""
    made = networks(seed, count=6, wrong=0.2)

    def value(says):
        total = 0.0
        for left in (True, False):
            shares = []
            for kind in KINDS:
                own = [says(each) != left for each in made if each.group[0] == kind and each.left is left]
                if own:
                    shares.append(np.mean(own))
            total += np.mean(shares) / 2
        return total

    made = [each._replace(readings={"hidden_gradient": each.readings["hidden_gradient"]}) for each in made]
    steps = [*sorted({each.readings["hidden_gradient"][0] for each in made}), math.inf]
    best = 0.0
    for plain, rescaling in itertools.product(steps, steps):
        limits = {"sgd": plain, "adam": rescaling}
        best = max(best, value(lambda each, at=limits: each.readings["hidden_gradient"][0] < at[each.group[2]]))
    rule = choose(made)
    assert len(rule) == 1
    assert value(lambda each: says_they_stay(rule, [each])[0]) == pytest.approx(best)


def test_how_a_rule_tells_is_counted():
    rule = (Limit("hidden_gradient", False, -2.0, -4.0), Limit("mean_cosine", False, -math.inf, -0.9))
    made = [
        network("dense", "sgd", False, hidden_gradient=-3.0, mean_cosine=-0.5),
        network("dense", "sgd", False, hidden_gradient=-1.0, mean_cosine=-0.99),
        network("dense", "adam", True, hidden_gradient=-3.0, mean_cosine=-0.5),
        network("dense", "adam", True, hidden_gradient=-3.0, mean_cosine=-0.95),
        # What it has not is beyond no limit.
        network("dense", "adam", True, mean_cosine=math.nan),
    ]
    assert list(says_they_stay(rule, made)) == [True, False, False, True, False]
    assert tell(rule, made) == (0.5, pytest.approx(2 / 3), 5)
    assert [each.rescales for each in made] == [False, False, True, True, True]
    # Read only where there is a KL term.
    coded = (Limit("mean_cosine", True, -0.9, -0.9),)
    without = [each._replace(coded=False) for each in made]
    assert list(says_they_stay(coded, made)) == [False, True, False, True, False]
    assert not says_they_stay(coded, without).any()
    assert limit_words(coded[0]) == "mean_cosine, with a KL term, is above 0.9 (rescaled: above 0.9)"
    assert limit_words(rule[0]) == "hidden_gradient is above 2 (rescaled: above 4)"
    assert limit_words(rule[1]) == "mean_cosine is never (rescaled: above 0.9)"
    assert limit_words(Limit("mean_cosine", False, math.inf, -0.9)) == "mean_cosine is always (rescaled: above 0.9)"
    assert limit_words(Limit("effective_rank", False, 3.0, 2.5)) == "effective_rank is below 3 (rescaled: below 2.5)"


def test_what_means_another_thing_elsewhere_makes_no_rule():
    """The score itself would tell: but 20 nats of one kind are not those of another."""
    made = [each._replace(readings=each.readings | {"score": (float(each.left),) * 3}) for each in networks(4)]
    assert "score" not in {limit.instrument for limit in choose(made)}


def test_of_few_kinds_or_where_a_half_is_all_alike_nothing_is_chosen():
    assert splits(networks(0, KINDS[:3])) == ()
    assert splits_table(()).empty
    lame = [each._replace(left=each.left and each.group[0] == "dense") for each in networks(0)]
    found = splits(lame)
    # Each half without the one kind that left has no one to choose or to test by.
    assert [each.chosen_on for each in found] == [KINDS]


def test_the_table_says_what_was_chosen_and_tested_on():
    found = splits(networks(0, count=20))
    table = splits_table(found)
    assert list(table["chosen on"]) == [", ".join(each.chosen_on) for each in found[:-1]] + [
        "the mean over 6", "all, and tested on the same"
    ]  # fmt: skip
    mean = np.mean([each.told.sensitivity for each in found[:-1]])
    assert table["sensitivity"].iloc[-2] == f"{mean:.0%}"
    assert table["stays where"].iloc[-1].startswith("hidden_gradient is above ")
    assert set(table["n"]) == {"80", "", "160"}


def test_a_reading_may_count_only_where_there_is_a_code():
    """c tells nothing of networks without one; a rule that reads it of all is worse, and is not chosen."""
    draw = np.random.default_rng(5)
    made = []
    for kind, _ in itertools.product(KINDS, range(80)):
        cosine = -draw.uniform(0, 1)
        left = cosine > -0.5 if kind in ("dense", "convolutions") else bool(draw.random() < 0.5)
        made.append(network(kind, "adam", bool(left), mean_cosine=cosine))
    rule = choose(made)
    assert [limit[:2] for limit in rule] == [("mean_cosine", True)]
    assert rule[0].rescaling == pytest.approx(-0.5, abs=0.05)
    # In a form that is given only limits are chosen.
    form = (Limit("hidden_gradient"), Limit("mean_cosine", coded=True))
    made = networks(0)
    for split in splits(made, form):
        assert [limit[:2] for limit in split.rule] == [limit[:2] for limit in form]
    assert [limit.coded for limit in choose(made, VERDICT)] == [False, True]
