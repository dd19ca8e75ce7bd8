import math

import numpy as np
import pytest
from scipy import stats

from bench.results.statistics import student_t


def test_the_interval_is_students():
    values = [23.1, 23.4, 23.2, 23.9, 23.3]
    expected = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert student_t(values) == pytest.approx((np.mean(values), *expected))


def test_it_covers_as_often_as_it_says():
    draw = np.random.default_rng(0)
    covered = [low < 3.0 < high for _, low, high in (student_t(list(draw.normal(3, 2, 5))) for _ in range(2000))]
    # Four standard errors of a share of 0.95 among 2,000.
    assert abs(np.mean(covered) - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 2000)


def test_no_interval_where_there_is_none():
    assert student_t([2.0])[0] == 2.0
    assert math.isnan(student_t([2.0]).low)
    for values in ([], [1.0, math.nan], [1.0, math.inf]):
        assert all(math.isnan(figure) for figure in student_t(values))
