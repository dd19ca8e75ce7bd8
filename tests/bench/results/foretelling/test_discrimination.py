"""Areas under the curve against scikit-learn's and plain loops, their intervals against a slow bootstrap."""

import itertools
import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from bench.results.foretelling.discrimination import area_under_curve, best_guess, best_threshold


def drawn(seed: int, count=60, effect=0.7, groups=3, structures=25):
    """Readings that tell something, with ties; who left; groups; and structures, of which each lies in one group."""
    draw = np.random.default_rng(seed)
    structure = draw.integers(structures, size=count)
    left = draw.random(count) < 0.4
    readings = np.round(draw.normal(size=structures)[structure] + effect * left + draw.normal(size=count) * 0.5, 1)
    return readings.tolist(), left.tolist(), (structure % groups).tolist(), structure.tolist()


def in_order(readings, left, groups):
    """Pairs of one group of which one left and one stayed: how many, and how many in order."""
    right = every = 0.0
    for one, other in itertools.permutations(range(len(readings)), 2):
        if groups[one] == groups[other] and left[one] and not left[other]:
            every += 1
            right += (readings[one] > readings[other]) + 0.5 * (readings[one] == readings[other])
    return right, every


@pytest.mark.parametrize("seed", range(5))
def test_the_area_of_one_group_is_scikit_learns(seed):
    readings, left, _, structures = drawn(seed)
    area = area_under_curve(readings, left, [0] * len(left), structures)
    assert math.isclose(area.mean, roc_auc_score(left, readings))


@pytest.mark.parametrize("seed", range(5))
def test_the_area_over_groups_is_of_all_their_pairs(seed):
    readings, left, groups, structures = drawn(seed)
    right, every = in_order(readings, left, groups)
    assert math.isclose(area_under_curve(readings, left, groups, structures).mean, right / every)


@pytest.mark.parametrize("seed", range(3))
def test_the_interval_is_that_of_a_slow_bootstrap_over_structures(seed):
    readings, left, groups, structures = drawn(seed)
    draw, found = np.random.default_rng(100 + seed), []
    members = {name: [i for i, each in enumerate(structures) if each == name] for name in set(structures)}
    for _ in range(500):
        taken = [i for name in draw.choice(list(members), size=len(members)) for i in members[name]]
        right, every = in_order(*([each[i] for i in taken] for each in (readings, left, groups)))
        found.append(right / every)
    low, high = np.quantile(found, [0.025, 0.975])
    area = area_under_curve(readings, left, groups, structures)
    assert area.low == pytest.approx(low, abs=0.03)
    assert area.high == pytest.approx(high, abs=0.03)


def test_of_shuffled_outcomes_the_area_is_a_half_within_its_interval():
    """In 95 of 100 shuffles, up to what 200 of them and a percentile interval allow."""
    within, areas = 0, []
    draw = np.random.default_rng(0)
    readings, left, groups, _ = drawn(0, count=120, groups=2)
    for _ in range(200):
        area = area_under_curve(readings, [bool(each) for each in draw.permutation(left)], groups, list(range(120)))
        areas.append(area.mean)
        within += area.low <= 0.5 <= area.high
    assert np.mean(areas) == pytest.approx(0.5, abs=0.02)
    assert 0.90 <= within / 200 <= 0.99


def test_a_structure_that_comes_many_times_is_one_witness():
    """Ten copies of each network leave the area as it was, and so its interval; taken for ten, it would be narrower."""
    readings, left, groups, _ = drawn(1, count=25, structures=25)
    once = area_under_curve(readings, left, groups, list(range(25)))
    copied = area_under_curve(readings * 10, left * 10, groups * 10, list(range(25)) * 10)
    np.testing.assert_allclose(copied, once)
    apart = area_under_curve(readings * 10, left * 10, groups * 10, list(range(250)))
    assert apart.high - apart.low < 0.6 * (once.high - once.low)


def test_what_cannot_be_said_is_not():
    assert math.isnan(area_under_curve([1.0, 2.0], [True, True], [0, 0], [0, 1]).mean)
    # One of each, but never in one group.
    assert math.isnan(area_under_curve([1.0, 2.0], [True, False], [0, 1], [0, 1]).mean)
    # What is not a number is not compared, and infinity is a reading like any other.
    area = area_under_curve([math.nan, 3.0, -math.inf, 5.0], [True, True, False, False], [0] * 4, list(range(4)))
    assert area.mean == 0.5
    assert best_threshold([1.0, math.nan], [True, False]) is None


@pytest.mark.parametrize("seed", range(5))
def test_the_best_threshold_is_that_of_scikit_learns_curve(seed):
    readings, left, _, _ = drawn(seed)
    best = best_threshold(readings, left)
    assert best is not None
    false, true, _ = roc_curve(left, readings, drop_intermediate=False)
    assert math.isclose(best.sensitivity + best.specificity - 1, np.max(true - false))
    said = np.array(readings) >= best.limit
    assert math.isclose(best.right, np.mean(said == np.array(left)))
    assert math.isclose(best.sensitivity, np.mean(said[np.array(left)]))


def test_the_best_guess_knows_the_group_alone():
    left, groups = [True, True, False, False, False, True], ["a", "a", "a", "b", "b", "b"]
    assert best_guess(left, groups) == 2 + 2
    assert best_guess(left, ["one"] * 6) == 3
