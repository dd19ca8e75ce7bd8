import math
from dataclasses import replace
from typing import Any

import pytest

from bench.results.judging.left import Figures, beyond, figures, has_left
from bench.results.judging.score import BELOW_PLATEAU, NEGATIVE_ELBO, Z_IS_USED, Left
from bench.results.stored.records import TrainingRecord
from tests.bench.fake_store import PLATEAU, build, read

TRAINING = TrainingRecord(1, 0.1, None, 20.0, 18.0, kl_nats=2.0)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return read(build(tmp_path_factory.mktemp("store"), ["tanh"], seeds=3, steps=200, depth=1))


@pytest.fixture(scope="module")
def workload(results: Any) -> Any:
    return results.rows[0].workload


def test_figures_that_a_record_has_not_are_not_numbers():
    assert figures(TRAINING)[:3] == (20.0, 18.0, 2.0)
    assert math.isnan(figures(TRAINING).shuffled)
    assert all(map(math.isnan, figures(TrainingRecord(1, 0.1, 7, None, None))))


@pytest.mark.parametrize(("score", "left"), [(PLATEAU - 0.3, True), (PLATEAU - 0.1, False), (math.nan, None)])
@pytest.mark.parametrize("shift", [0.0, -40.0])
def test_by_the_score_it_has_left_below_the_plateau_by_more_than_the_margin(workload, score, left, shift):
    assert has_left(workload.score, workload.left, PLATEAU + shift, Figures(score + shift)) is left


@pytest.mark.parametrize(
    ("found", "left"),
    [
        (Figures(PLATEAU, 10.0, kl_nats=0.6, shuffled=10.6), True),
        (Figures(PLATEAU, 10.0, kl_nats=0.6, shuffled=10.4), False),
        (Figures(PLATEAU, 10.0, kl_nats=0.4, shuffled=10.6), False),
        # However low the score is: what tells is not there.
        (Figures(0.1, 10.0, kl_nats=0.6), None),
        (Figures(0.1, 10.0, shuffled=10.6), None),
    ],
)
def test_by_z_it_has_left_where_z_holds_something_and_is_missed(workload, found, left):
    assert has_left(workload.score, Z_IS_USED, PLATEAU, found) is left


def test_only_what_a_rule_asks_for_is_looked_at(workload):
    assert beyond(workload.score, Left(kl_nats=0.5), PLATEAU, Figures(PLATEAU, kl_nats=0.75)) == [0.25]


def test_a_validation_on_the_curves_is_judged_as_a_training_is(results, workload):
    curves = results.curves(["score"])
    points = curves.loc[(curves["split"] == "validation") & (curves["seed"] == 1)]
    left = [
        has_left(workload.score, workload.left, workload.plateau_validation, Figures(value))
        for value in points["value"]
    ]
    # It starts above the plateau.
    assert left == [False] * left.count(False) + [True] * left.count(True)
    assert (left[0], left[-1]) == (False, True)


def test_each_seed_of_an_arm_has_left_or_has_not(results, workload):
    (row,) = results.rows
    shuffled = (19.0, 18.2, None)
    trainings = tuple(replace(TRAINING, seed=seed, shuffled=value) for seed, value in enumerate(shuffled))
    stored = replace(row.stored, record=replace(row.record, trainings=trainings))
    judged = replace(row, workload=replace(workload, left=Z_IS_USED), stored=stored)
    assert [training.seed for training in judged.left] == [0]
    assert not judged.mostly_left
    # The score of such a decoder may be low without a code, and that is no way past z.
    assert not judged.past_z


def test_what_is_past_z_lies_below_the_plateau_without_a_code(results, workload):
    (row,) = results.rows
    trainings = tuple(replace(TRAINING, seed=seed, score=1.0, kl_nats=0.0) for seed in range(2))
    stored = replace(row.stored, record=replace(row.record, trainings=trainings))
    assert replace(row, stored=stored).past_z
    assert not replace(row, stored=stored, workload=replace(workload, left=Z_IS_USED)).past_z


def test_rules_and_scores_say_what_they_are():
    assert BELOW_PLATEAU.by_score
    assert not Z_IS_USED.by_score
    assert NEGATIVE_ELBO.said("{score} in {unit}, {other}") == "-ELBO in nats, {other}"
