import math

import numpy as np
import pytest
from lifelines import KaplanMeierFitter
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from bench.results.comparison import compare
from bench.results.statistics import (
    benjamini_hochberg,
    exact_binomial,
    holm,
    interval_text,
    kaplan_meier,
    p_value,
    student_t,
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
    assert found == pytest.approx(stats.ttest_rel(VALUES, others).pvalue)


def test_equal_pairs_show_no_difference():
    assert p_value([0.0] * 5) == 1
    assert p_value([0.25] * 5) == 0
    assert math.isnan(p_value([0.25]))


@pytest.mark.parametrize(("left", "seeds"), [(0, 5), (1, 5), (3, 5), (5, 5), (7, 10)])
def test_the_binomial_interval_is_statsmodels(left, seeds):
    assert exact_binomial(left, seeds)[1:] == pytest.approx(proportion_confint(left, seeds, method="beta"))


@pytest.mark.parametrize(("ours", "theirs"), [(holm, "holm"), (benjamini_hochberg, "fdr_bh")])
def test_corrections_are_statsmodels(ours, theirs):
    p_values = np.random.default_rng(3).uniform(size=40) ** 3
    assert ours(p_values.tolist()) == pytest.approx(multipletests(p_values, method=theirs)[1])
    assert ours([]) == []


def test_survival_is_lifelines():
    times, met = [300, 100, 1500, 300, 700, 1500, 200, 900], [True, True, False, True, False, False, True, True]
    found = kaplan_meier(times, met)
    theirs = KaplanMeierFitter().fit(times, met)
    assert found.shares == pytest.approx(theirs.survival_function_at_times(found.times).tolist())
    assert found.median == theirs.median_survival_time_
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
    draw, all_seeds, of_left = np.random.default_rng(2), [], []
    for _ in range(4_000):
        stuck = draw.uniform(size=5) < 0.2
        scores = np.where(stuck, 27.2, draw.normal(23.4, 0.1, 5))
        mean = 0.2 * 27.2 + 0.8 * 23.4
        all_seeds.append(student_t(scores.tolist()))
        of_left.append(student_t(scores[~stuck].tolist()))
    covered = np.mean([low <= mean <= high for _, low, high in all_seeds])
    # Every third suite meets no stuck seed and never learns of them.
    assert 0.6 < covered < 0.75
    told = [each for each in of_left if not math.isnan(each.low)]
    assert 0.94 < np.mean([low <= 23.4 <= high for _, low, high in told]) < 0.96
