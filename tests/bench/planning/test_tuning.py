"""Tuning against invented arms, whose score at every rate and seed is known."""

import math

import pytest

from bench.planning.protocol import Protocol
from bench.planning.tuning import tune, words
from bench.results.judging.score import BELOW_PLATEAU, NEGATIVE_ELBO
from bench.results.judging.tuned import grid, rank
from bench.results.stored.records import TrainingRecord

PLATEAU = 27.2
PROTOCOL = Protocol(steps=1)


class Arm:
    """An arm whose score is a function of the decades above its optimizer's own rate, and of the seed."""

    def __init__(self, score, protocol=PROTOCOL):
        self.score, self.protocol = score, protocol
        self.calls: list[list[tuple[int, float]]] = []

    def train(self, wanted):
        self.calls.append([(seed, round(math.log10(rate), 1)) for seed, rate in wanted])
        return [self._record(seed, rate) for seed, rate in wanted]

    def tuned(self):
        return tune(self.protocol, 1.0, self.train, self.rank)

    def grid(self):
        trainings, rate = self.tuned()
        assert rate is not None
        return grid(trainings, rate, self.protocol.rates, [self.rank(each) for each in trainings])

    def _record(self, seed, rate):
        value = self.score(round(math.log10(rate), 1), seed)
        return TrainingRecord(seed, rate, None if value is not None else 7, value, value)

    def rank(self, training):
        return rank(NEGATIVE_ELBO, BELOW_PLATEAU, PLATEAU, training)


def valley(middle, depth=4.0):
    """Best at a rate, and worse to both sides of it; the plateau far from there."""
    return lambda decades, _: PLATEAU - max(0.0, depth - abs(decades - middle))


def test_an_interior_best_is_tried_on_the_other_seeds_beside_the_next_best():
    arm = Arm(valley(0.1))
    trainings, rate = arm.tuned()
    assert rate == 1.0
    assert arm.calls == [[(0, -1.0), (0, -0.5), (0, 0.0), (0, 0.5), (0, 1.0)],
                         [(1, 0.0), (1, 0.5), (2, 0.0), (2, 0.5)]]  # fmt: skip
    assert len(trainings) == 9 == PROTOCOL.trainings - PROTOCOL.seeds
    found = arm.grid()
    assert found.edge == "no"
    # Half a decade from its best everywhere in the grid, and 4 nats deep: all five rates work.
    assert found.band == pytest.approx(100)
    assert found.default_score == pytest.approx(PLATEAU - 3.9)


def test_the_grid_follows_the_best_over_its_edge():
    arm = Arm(valley(2.0))
    assert arm.tuned().learning_rate == pytest.approx(100)
    # Two steps to it and one beyond, which shows that it is the best.
    assert [call for call in arm.calls if len(call) == 1] == [[(0, 1.5)], [(0, 2.0)], [(0, 2.5)]]
    assert arm.grid().edge == "no"
    assert arm.grid().default_score == pytest.approx(PLATEAU - 2)


def test_the_grid_grows_three_times_at_most_and_then_says_so():
    arm = Arm(valley(-4.0, depth=8.0))
    assert arm.tuned().learning_rate == pytest.approx(10**-2.5, rel=0.01)
    assert arm.grid().edge == "low"
    assert len(arm.tuned().trainings) <= PROTOCOL.most_trainings - PROTOCOL.seeds


def test_a_lucky_rate_of_the_first_seed_is_not_kept():
    def score(decades, seed):
        # At a high rate the first seed leaves and does best, and the others are stuck.
        if decades == 0.5:
            return PLATEAU - 5 if seed == 0 else PLATEAU
        return PLATEAU - 4 if decades == 0.0 else PLATEAU - 1

    arm = Arm(score)
    assert arm.tuned().learning_rate == 1.0
    assert [each.learning_rate for each in arm.tuned().trainings[-4:]] == pytest.approx([10**0.5, 1, 10**0.5, 1], 0.01)


def test_a_median_at_an_edge_grows_the_grid_on_all_tuning_seeds():
    def score(decades, seed):
        # The first seed likes the second highest rate best, the others the highest tried, and what lies beyond it.
        best = 0.6 if seed == 0 else 1.5
        return PLATEAU - 4 + abs(decades - best) / 10

    arm = Arm(score)
    trainings, rate = arm.tuned()
    assert rate == pytest.approx(10**1.5, rel=0.01)
    assert arm.calls[2:] == [[(0, 1.5), (1, 1.5), (2, 1.5)], [(0, 2.0), (1, 2.0), (2, 2.0)]]
    assert arm.grid().edge == "no"
    assert len(trainings) == 5 + 4 + 6


def test_where_no_rate_leaves_the_plateau_nothing_grows_and_no_edge_is_told():
    arm = Arm(lambda decades, _: PLATEAU - 0.01 * decades)
    trainings, rate = arm.tuned()
    assert len(trainings) == 9
    assert rate == 10.0
    assert arm.grid().edge == "none left"
    assert arm.grid().band is None


def test_a_rate_whose_median_is_stuck_is_no_edge():
    arm = Arm(lambda decades, seed: PLATEAU - 2 if seed == 0 and decades in (0.0, 0.5) else PLATEAU)
    assert arm.grid().edge == "none left"


def test_what_diverged_is_worse_than_what_is_stuck():
    arm = Arm(lambda decades, _: None if decades > 0 else PLATEAU - 0.01 * abs(decades))
    assert arm.tuned().learning_rate == pytest.approx(0.1)
    nothing = Arm(lambda *_: None)
    assert nothing.tuned().learning_rate is None
    assert len(nothing.tuned().trainings) == 5


def test_few_rates_are_taken_as_they_are():
    two = Arm(valley(3.0), Protocol(steps=1, rates=2))
    assert two.tuned().learning_rate == pytest.approx(10**0.25, rel=0.01)
    assert len(two.tuned().trainings) == 2 + 4
    one = Arm(valley(3.0), Protocol(steps=1, rates=1))
    assert one.tuned() == ((), 1.0)
    assert one.calls == []


def test_fresh_seeds_are_never_tuning_seeds():
    assert not set(PROTOCOL.tuning_seeds) & set(PROTOCOL.reporting_seeds)
    assert len(PROTOCOL.reporting_seeds) == PROTOCOL.seeds


def test_the_words_are_made_of_the_numbers():
    said = " ".join(words(Protocol(steps=1500, rates=7, extensions=2, finalists=4), NEGATIVE_ELBO, BELOW_PLATEAU))
    for told in ("7 learning rates", "1,500 steps", "tuning seed 0", "at most 2 times", "best 4 rates",
                 "tuning seeds 1 and 2", "more than 0.2 nats below"):  # fmt: skip
        assert told in said
    assert "grows" not in " ".join(words(Protocol(steps=1, rates=2), NEGATIVE_ELBO, BELOW_PLATEAU))
    assert words(Protocol(steps=1500, rates=1), NEGATIVE_ELBO, BELOW_PLATEAU) == [
        "No rate is tuned: every arm trains 1,500 steps at its optimizer's own."
    ]
