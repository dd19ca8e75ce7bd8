import math

import pytest

from bench.results.judging.score import BELOW_PLATEAU, NEGATIVE_ELBO
from bench.results.judging.tuned import DIVERGED, LEFT, STUCK, grid, rank
from bench.results.stored.records import TrainingRecord

PLATEAU = 27.2


def training(rate, score, seed=0):
    return TrainingRecord(seed, rate, 5 if score is None else None, score, score)


def told(tuning, chosen, rates=3):
    return grid(tuning, chosen, rates, [rank(NEGATIVE_ELBO, BELOW_PLATEAU, PLATEAU, each) for each in tuning])


def test_ranks_put_what_has_left_first_and_what_diverged_last():
    ranks = [rank(NEGATIVE_ELBO, BELOW_PLATEAU, PLATEAU, training(0.1, score)) for score in (25.0, 26.0, 27.1, None)]
    assert [each.kind for each in ranks] == [LEFT, LEFT, STUCK, DIVERGED]
    assert ranks == sorted(ranks)
    assert math.isinf(ranks[-1].score)


def test_a_rate_between_others_is_no_edge():
    tuning = [training(0.01, 25.0), training(0.1, 24.0), training(1.0, 25.5), training(0.1, 24.2, 1)]
    found = told(tuning, 0.1)
    assert (found.edge, found.score, found.default_score) == ("no", 24.0, 24.0)
    assert found.band == pytest.approx(100)


@pytest.mark.parametrize(("chosen", "edge"), [(0.01, "low"), (1.0, "high")])
def test_the_lowest_and_the_highest_are_edges(chosen, edge):
    tuning = [training(rate, 24.0 if rate == chosen else 25.0) for rate in (0.01, 0.1, 1.0)]
    assert told(tuning, chosen).edge == edge


def test_the_band_ends_where_a_rate_is_stuck_or_diverged():
    tuning = [
        training(0.001, 24.5),
        training(0.01, 27.2),
        training(0.1, 24.0),
        training(1.0, 25.5),
        training(10.0, None),
    ]
    assert told(tuning, 0.1, rates=5).band == pytest.approx(10)


def test_the_default_rate_is_the_middle_before_the_grid_grew():
    tuning = [
        training(0.01, 26.0),
        training(0.1, 25.0),
        training(1.0, 24.0),
        training(10.0, 23.0),
        training(100.0, 24.0),
    ]
    assert told(tuning, 10.0).default_score == 25.0
    assert told(tuning[:2], 0.1, rates=2).default_score is None


def test_no_rate_left_is_told_by_the_median_of_the_tuning_seeds():
    tuning = [
        training(0.01, 27.2),
        training(0.1, 24.0),
        training(1.0, 27.2),
        training(0.1, 27.2, 1),
        training(0.1, 27.2, 2),
    ]
    assert told(tuning, 0.1).edge == "none left"
