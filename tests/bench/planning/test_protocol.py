import pytest

from bench.language.errors import InputError
from bench.planning.protocol import Protocol
from bench.results.judging.score import NEGATIVE_ELBO, Score


def test_rates_are_log_spaced_around_the_scale():
    rates = Protocol(steps=1).learning_rates(1e-3)
    assert rates == [1e-4, 3.16e-4, 1e-3, 3.16e-3, 1e-2]
    assert Protocol(steps=1, rates=1).learning_rates(0.5) == [0.5]


def test_trainings_of_a_grid_that_stays_and_of_one_that_grows():
    # Five rates, the two best on two seeds more, five fresh seeds; three rates more, on three seeds each.
    assert Protocol(steps=1).trainings == 5 + 4 + 5
    assert Protocol(steps=1).most_trainings == 14 + 9
    assert Protocol(steps=1, rates=2).most_trainings == Protocol(steps=1, rates=2).trainings == 2 + 4 + 5
    assert Protocol(steps=1, seeds=3, rates=1).most_trainings == 3


def test_an_arm_is_charged_for_every_gradient():
    assert Protocol(steps=1500).charged(2).steps == 750
    assert Protocol(steps=1500).charged(1) == Protocol(steps=1500)


def test_the_words_are_made_of_the_numbers():
    words = " ".join(Protocol(steps=1500, seeds=7).words(NEGATIVE_ELBO))
    for said in ("7 fresh seeds", "95%", "9 times the plateau's absolute value", "4 draws of z", "importance-weighted"):
        assert said in words


def test_without_a_z_nothing_is_said_of_it():
    words = " ".join(Protocol(steps=1).words(Score("squared error", "per image", 0.1), latent=False))
    assert "minibatch's squared error" in words
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
