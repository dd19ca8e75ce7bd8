"""The protocol: how every arm is tuned, chosen and reported. One place, in code and in words."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from bench.language.errors import InputError
from bench.results.judging.score import Score
from bench.results.judging.statistics import CONFIDENCE

LEAST_TO_GROW = 3
"""Rates of a grid that may grow: fewer are a person's own few, to be taken as they are."""


@dataclass(frozen=True)
class Protocol:
    """One fair pass.

    Attributes:
        steps: Steps of one training.
        seeds: Fresh seeds of the reporting pass.
        rates: Learning rates of the tuning pass; of one there is nothing to choose, and no pass.
        spacing: Factor between neighbouring rates.
        extensions: How often a grid of at least `LEAST_TO_GROW` rates may grow by one.
        finalists: How many rates are tried on all tuning seeds.
        tuning: How many tuning seeds there are, from 0; the reporting seeds follow them.
        confirming: How many fresh seeds more, after those, an arm is confirmed on that is asked to be.
        patience: Steps up to which a training is followed that has not left the plateau, where that is more.
        record_every: Steps between two records of the instruments.
        validate_every: Steps between two evaluations on validation.
        draws: Draws of z for each held-out example.
        importance_samples: Draws of z for each test example, for the importance-weighted bound.
        divergence_distance: How far above the plateau a score has diverged, in multiples of the plateau's own distance
            from 0, which it may lie below; where that is less than one unit, in units.
    """

    steps: int
    seeds: int = 5
    rates: int = 5
    spacing: float = math.sqrt(10)
    extensions: int = 3
    finalists: int = 2
    tuning: int = 3
    confirming: int = 10
    patience: int = 0
    record_every: int = 50
    validate_every: int = 100
    draws: int = 4
    importance_samples: int = 100
    divergence_distance: float = 9.0

    def __post_init__(self):
        for name in ("steps", "seeds", "rates"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.patience and self.patience <= self.steps:
            raise InputError(
                f"patience must be more than the {self.steps:,} steps of a training, got {self.patience:,}: it is how "
                "long one is followed that has not left the plateau by then"
            )

    @property
    def tuning_seeds(self) -> tuple[int, ...]:
        """Seeds that a rate is chosen on: all rates on the first, the best of them on the others too."""
        return tuple(range(self.tuning))

    @property
    def reporting_seeds(self) -> tuple[int, ...]:
        """Seeds that no choice was made on, whether one is made or not."""
        return tuple(range(self.tuning, self.tuning + self.seeds))

    @classmethod
    def of_length(cls, steps: int, **asked: int) -> "Protocol":
        """A protocol whose records and evaluations of a long training lie further apart: 100 to 200 of them do.

        >>> Protocol.of_length(1500).validate_every, Protocol.of_length(39_062).validate_every
        (100, 300)
        """
        apart = max(1, steps // 10_000)
        return cls(steps, record_every=cls.record_every * apart, validate_every=cls.validate_every * apart, **asked)

    @property
    def tunes(self) -> bool:
        """Whether there is a rate to choose."""
        return self.rates > 1

    @property
    def confirming_seeds(self) -> tuple[int, ...]:
        """Seeds that neither a rate nor a claim was made on."""
        first = self.tuning + self.seeds
        return tuple(range(first, first + self.confirming))

    @property
    def trainings(self) -> int:
        """Trainings of an arm whose grid does not grow."""
        again = min(self.finalists, self.rates) * (self.tuning - 1)
        return (self.rates + again) * self.tunes + self.seeds

    @property
    def most_trainings(self) -> int:
        """Trainings of an arm whose grid grows as far as it may, each time on all tuning seeds."""
        grows = self.tunes and self.rates >= LEAST_TO_GROW
        return self.trainings + self.extensions * self.tuning * grows

    def learning_rate(self, scale: float, place: int) -> float:
        """The rate at a place of the grid around an optimizer's own scale, to three digits; 0 is its lowest at first.

        >>> Protocol(steps=1).learning_rate(0.03, 2), Protocol(steps=1).learning_rate(0.03, 5)
        (0.03, 0.949)
        """
        return float(f"{scale * self.spacing ** (place - (self.rates - 1) / 2):.3g}")

    def learning_rates(self, scale: float) -> list[float]:
        """The rates to tune over: log-spaced around an optimizer's own scale.

        >>> Protocol(steps=1).learning_rates(0.03)
        [0.003, 0.00949, 0.03, 0.0949, 0.3]
        """
        return [self.learning_rate(scale, place) for place in range(self.rates)]

    def charged(self, gradients: int) -> "Protocol":
        """The protocol of an arm that takes so many gradients a step: as many in all, so fewer steps."""
        steps = max(1, self.steps // gradients)
        return replace(self, steps=steps, patience=self.patience // gradients if self.patience else 0)

    def limit(self, plateau: float) -> float:
        """The score beyond which a training has diverged.

        >>> Protocol(steps=1).limit(27.0), Protocol(steps=1).limit(-2.0), Protocol(steps=1).limit(0.0)
        (270.0, 16.0, 9.0)
        """
        # Beside an error per pixel stands a KL in nats, which no multiple of the error knows of.
        return plateau + self.divergence_distance * max(abs(plateau), 1.0)

    def identity(self) -> dict[str, Any]:
        """All that changes a number."""
        return asdict(self)

    def words(self, score: Score, latent: bool = True) -> list[str]:
        """How arms are reported, in sentences, made from the constants that compute it; tuning has its own.

        Args:
            score: What trainings are judged by.
            latent: Whether the model has a z.
        """
        draws = (
            f", at KL weight 1, with {self.draws} draws of z per example; the importance-weighted bound has "
            f"{self.importance_samples}"
        )
        patient = (
            f"A fresh seed that has not left the plateau after {self.steps:,} steps is followed to {self.patience:,}, "
            "at the rate and KL weight that its schedules ended with; where that rate is near 0 it is trained anew "
            "with schedules of that length. No figure but the step of escape is of these."
        )
        return [
            f"At that rate {self.seeds} fresh seeds are trained and reported on test{draws if latent else ''}.",
            f"Means and their intervals, Student's t, {CONFIDENCE:.0%}, are over all seeds: one that diverged enters "
            f"with the plateau's {score.name}. They are of seeds alone: another split of the data moves score and "
            "plateau together.",
            f"A training has diverged when a minibatch's {score.name} is not finite, or validation's lies above the "
            f"plateau by more than {self.divergence_distance:g} times the plateau's absolute value, or times 1 where "
            "that is less.",
            *([patient] if self.patience else []),
            "An arm that takes several gradients a step takes as many in all as any other, in fewer steps.",
            "For one seed all arms share initial draws, minibatches and noise wherever their shapes allow.",
        ]
