import pytest

from bench.language.errors import InputError
from bench.planning.protocol import Protocol
from bench.results.score import NEGATIVE_ELBO, Score


def test_rates_are_log_spaced_around_the_scale():
    rates = Protocol(steps=1).learning_rates(1e-3)
    assert rates == [1e-4, 3.16e-4, 1e-3, 3.16e-3, 1e-2]
    assert Protocol(steps=1, rates=1).learning_rates(0.5) == [0.5]


def test_reporting_seeds_are_fresh():
    protocol = Protocol(steps=1, seeds=5)
    assert protocol.reporting_seeds == [1, 2, 3, 4, 5]
    assert protocol.tuning_seed not in protocol.reporting_seeds
    assert protocol.trainings == 10


def test_the_words_are_made_of_the_numbers():
    words = " ".join(Protocol(steps=1500, seeds=7, rates=3).words(NEGATIVE_ELBO))
    for said in ("3 learning rates", "1,500 steps", "7 fresh seeds", "95%", "9 times the plateau's absolute value",
                 "the least -ELBO", "4 draws of z", "importance-weighted"):  # fmt: skip
        assert said in words


def test_of_one_rate_there_is_nothing_to_choose():
    protocol = Protocol(steps=1500, seeds=3, rates=1)
    assert protocol.trainings == 3
    words = " ".join(protocol.words(NEGATIVE_ELBO))
    assert "No rate is tuned" in words
    assert "validation" not in words


def test_without_a_z_nothing_is_said_of_it():
    words = " ".join(Protocol(steps=1).words(Score("squared error", "per image", 0.1), latent=False))
    assert "the least squared error on validation" in words
    for absent in ("ELBO", "KL", " z", "importance"):
        assert absent not in words


def test_divergence_is_a_distance_from_the_plateau():
    protocol = Protocol(steps=1)
    assert protocol.limit(27.25) == 10 * 27.25
    # Ten times a plateau below 0 would lie below it, where a training is that learns.
    assert protocol.limit(-4.0) == 32.0
    # An error per pixel of 0.07 beside a KL of some nats.
    assert protocol.limit(0.07) == 9.07
    assert protocol.limit(0.0) == 9.0


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"steps": 1, "seeds": 0}])
def test_numbers_below_one(wrong):
    with pytest.raises(InputError, match="must be at least 1, got 0"):
        Protocol(**wrong)
