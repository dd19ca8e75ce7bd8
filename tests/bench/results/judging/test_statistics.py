import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bench.results.judging.comparison import compare
from bench.results.judging.statistics import (
    Sample,
    benjamini_hochberg,
    exact_binomial,
    holm,
    interval_text,
    kaplan_meier,
    kendall,
    p_value,
    student_t,
    welch,
)

VALUES = [23.1, 23.4, 23.2, 23.9, 23.3]


def test_the_interval_is_students():
    expected = stats.t.interval(0.95, 4, loc=np.mean(VALUES), scale=stats.sem(VALUES))
    assert student_t(VALUES) == pytest.approx((np.mean(VALUES), *expected))


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_it_covers_as_often_as_it_says(seeds):
    draw = np.random.default_rng(seeds)
    covered = [low < 3.0 < high for _, low, high in (student_t(list(draw.normal(3, 2, seeds))) for _ in range(10_000))]
    assert 0.94 < np.mean(covered) < 0.96


def test_no_interval_where_there_is_none():
    assert student_t([2.0])[0] == 2.0
    assert math.isnan(student_t([2.0]).low)
    for values in ([], [1.0, math.nan], [1.0, math.inf]):
        assert all(math.isnan(figure) for figure in student_t(values))


def test_the_paired_test_is_scipys():
    others = [23.0, 23.1, 23.3, 23.5, 23.0]
    found = p_value(np.subtract(VALUES, others).tolist())
    assert found == pytest.approx(stats.ttest_rel(VALUES, others)[1])


def test_equal_pairs_show_no_difference():
    assert p_value([0.0] * 5) == 1
    assert p_value([0.25] * 5) == 0
    assert math.isnan(p_value([0.25]))


@pytest.mark.parametrize(("left", "seeds"), [(0, 5), (1, 5), (3, 5), (5, 5), (7, 10)])
def test_the_binomial_interval_is_scipys(left, seeds):
    expected = stats.binomtest(left, seeds).proportion_ci(0.95, method="exact")
    assert exact_binomial(left, seeds)[1:] == pytest.approx((expected.low, expected.high))


def test_the_false_discovery_correction_is_scipys():
    p_values = np.random.default_rng(3).uniform(size=40) ** 3
    assert benjamini_hochberg(p_values.tolist()) == pytest.approx(stats.false_discovery_control(p_values))
    assert benjamini_hochberg([]) == []


def test_holms_correction_steps_down():
    # As in his paper: the least p times all, the next times all but one, and none below the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []
    draw = np.random.default_rng(4).uniform(size=12)
    # What it rejects at a level is what his procedure does, written as he has it.
    for level in (0.05, 0.2, 0.5):
        rejected, left = set(), list(np.argsort(draw))
        while left and draw[left[0]] <= level / len(left):
            rejected.add(int(left.pop(0)))
        assert {index for index, p in enumerate(holm(draw.tolist())) if p <= level} == rejected


def test_welchs_test_is_scipys():
    others = [23.0, 23.1, 23.9, 22.5]
    expected: Any = stats.ttest_ind(VALUES, others, equal_var=False)
    interval, p = welch(Sample.of(VALUES), Sample.of(others))
    assert p == pytest.approx(expected.pvalue)
    assert interval[1:] == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert Sample.behind(student_t(VALUES), 5) == pytest.approx(Sample.of(VALUES))


def test_survival_is_scipys():
    times, met = [300, 100, 1500, 300, 700, 1500, 200, 900], [True, True, False, True, False, False, True, True]
    found = kaplan_meier(times, met)
    theirs = stats.ecdf(stats.CensoredData.right_censored(times, ~np.asarray(met))).sf
    assert found.shares == pytest.approx(theirs.evaluate(np.asarray(found.times)).tolist())
    assert found.median == 300
    assert math.isnan(kaplan_meier([1500] * 3, [False] * 3).median)


def test_a_figure_near_0_has_no_more_decimals_than_what_it_is_a_part_of():
    assert interval_text(student_t([0.001, 0.002]), like=27.2) == "0.00 [0.00, 0.01]"


def _suite(draw, arms, seeds, shift):
    """A base and arms beside it that share its seeds' luck; the first ones are better by so much."""
    luck = draw.normal(0, 0.1, seeds)
    scores = 24 + luck + draw.normal(0, 0.1, (arms + 1, seeds))
    scores[1 : 1 + len(shift)] -= np.asarray(shift)[:, None]
    by_seed = [dict(enumerate(row)) for row in scores.tolist()]
    return {str(arm): ("base", own, by_seed[0]) for arm, own in enumerate(by_seed[1:])}


@pytest.mark.long
def test_of_suites_without_a_difference_one_in_twenty_claims_one():
    draw = np.random.default_rng(0)
    # No least difference: what the test and the correction do by themselves.
    suites = (compare(_suite(draw, 25, 5, []), least=0.0).values() for _ in range(10_000))
    assert np.mean([any(each.word in ("better", "worse") for each in suite) for suite in suites]) <= 0.055


@pytest.mark.long
def test_of_a_screens_claims_one_in_twenty_is_false():
    draw, false = np.random.default_rng(1), []
    for _ in range(5_000):
        found = compare(_suite(draw, 25, 4, [0.5] * 5), least=0.0)
        claims = [int(arm) >= 5 for arm, each in found.items() if not each.word.startswith("no difference")]
        false.append(np.mean(claims) if claims else 0.0)
    assert np.mean(false) <= 0.05


def test_where_a_fifth_of_seeds_is_stuck_the_interval_is_no_description_of_those_that_left():
    draw, all_seeds, of_left, mean = np.random.default_rng(2), [], [], 0.2 * 27.2 + 0.8 * 23.4
    for _ in range(4_000):
        stuck = draw.uniform(size=5) < 0.2
        scores = np.where(stuck, 27.2, draw.normal(23.4, 0.1, 5))
        all_seeds.append(student_t(scores.tolist()))
        of_left.append(student_t(scores[~stuck].tolist()))
    covered = np.mean([low <= mean <= high for _, low, high in all_seeds])
    # Every third suite meets no stuck seed and never learns of them.
    assert 0.6 < covered < 0.75
    told = [each for each in of_left if not math.isnan(each.low)]
    assert 0.94 < np.mean([low <= 23.4 <= high for _, low, high in told]) < 0.96


def test_kendalls_tau_is_scipys_and_its_interval_covers():
    one, other = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 3.0, 2.0, 6.0, 4.0, 5.0]
    assert kendall(one, other).mean == pytest.approx(stats.kendalltau(one, other)[0])
    assert math.isnan(kendall(one, [1.0] * 6).mean)
    assert math.isnan(kendall(one[:4], other[:4]).mean)
    assert kendall(one, one).high <= 1
    draw, covered = np.random.default_rng(5), []
    for _ in range(2_000):
        pairs = draw.multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], 26)
        _, low, high = kendall(pairs[:, 0].tolist(), pairs[:, 1].tolist())
        # Of two normal variables tau is 2 / pi asin(rho).
        covered.append(low < 2 / math.pi * math.asin(0.7) < high)
    assert 0.92 < np.mean(covered) < 0.98
