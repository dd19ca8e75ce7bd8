"""The protocol: how every arm is tuned, chosen and reported. One place, in code and in words."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from bench.language.errors import InputError
from bench.results.score import Score
from bench.results.statistics import CONFIDENCE


@dataclass(frozen=True)
class Protocol:
    """One fair pass.

    Attributes:
        steps: Steps of one training.
        seeds: Fresh seeds of the reporting pass.
        rates: Learning rates of the tuning pass; of one there is nothing to choose, and no pass.
        spacing: Factor between neighbouring rates.
        tuning_seed: Seed of the tuning pass; the reporting seeds follow it.
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
    tuning_seed: int = 0
    record_every: int = 50
    validate_every: int = 100
    draws: int = 4
    importance_samples: int = 100
    divergence_distance: float = 9.0

    def __post_init__(self):
        for name in ("steps", "seeds", "rates"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")

    @property
    def reporting_seeds(self) -> list[int]:
        """Seeds that no choice was made on."""
        return [self.tuning_seed + 1 + index for index in range(self.seeds)]

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
    def trainings(self) -> int:
        """Trainings of one arm."""
        return self.rates * self.tunes + self.seeds

    def learning_rates(self, scale: float) -> list[float]:
        """The rates to tune over: log-spaced around an optimizer's own scale, to three digits.

        >>> Protocol(steps=1).learning_rates(0.03)
        [0.003, 0.00949, 0.03, 0.0949, 0.3]
        """
        middle = (self.rates - 1) / 2
        return [float(f"{scale * self.spacing ** (index - middle):.3g}") for index in range(self.rates)]

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
        """The protocol in sentences, made from the constants that compute it.

        Args:
            score: What trainings are judged by.
            latent: Whether the model has a z.
        """
        draws = (
            f", at KL weight 1, with {self.draws} draws of z per example; the importance-weighted bound has "
            f"{self.importance_samples}"
        )
        tuned = [
            f"Every arm trains {self.rates} learning rates, a factor of {self.spacing:.3g} apart around its "
            f"optimizer's own scale, for {self.steps:,} steps on tuning seed {self.tuning_seed}.",
            f"The rate with the least {score.name} on validation is kept; a best rate at either end of the grid is "
            "marked.",
        ]
        untuned = [f"No rate is tuned: every arm trains {self.steps:,} steps at its optimizer's own."]
        return [
            *(tuned if self.tunes else untuned),
            f"At that rate {self.seeds} fresh seeds are trained and reported on test{draws if latent else ''}.",
            f"Intervals are Student's t over seeds, {CONFIDENCE:.0%}; an arm of which a seed diverged has none.",
            f"A training has diverged when a minibatch's {score.name} is not finite, or above the plateau by more than "
            f"{self.divergence_distance:g} times the plateau's absolute value, or times 1 where that is less.",
            "For one seed all arms share initial draws, batches and noise wherever their shapes allow.",
        ]
