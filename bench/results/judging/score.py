"""What a workload is judged by: its score, and its rule of having left the plateau. No jax."""

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """The figure that a workload's trainings minimise: lower is better, and it may be negative.

    Attributes:
        name: As it is printed.
        unit: Of one example's.
        margin: The least difference in it that counts.
    """

    name: str
    unit: str
    margin: float

    def said(self, text: str) -> str:
        """A text with the name and the unit where it says {score} and {unit}."""
        return text.replace("{score}", self.name).replace("{unit}", self.unit)


@dataclass(frozen=True)
class Left:
    """When a training has left the plateau: by its score, or where limits are named by how it uses z.

    Attributes:
        shuffled_nats: More than this the reconstruction must cost more where each example is given the z of another.
        kl_nats: Above this the KL must be.
    """

    shuffled_nats: float | None = None
    kl_nats: float | None = None

    @property
    def by_score(self) -> bool:
        """Whether the score alone tells."""
        return self.shuffled_nats is None and self.kl_nats is None

    def words(self, score: Score) -> str:
        """What holds of a training that has left.

        >>> BELOW_PLATEAU.words(NEGATIVE_ELBO)
        '-ELBO lies more than 0.2 nats below the plateau'
        >>> Z_IS_USED.words(NEGATIVE_ELBO)
        'z shuffled between examples costs more than 0.5 nats, and KL is above 0.5 nats'
        """
        if self.by_score:
            return f"{score.name} lies more than {score.margin:g} {score.unit} below the plateau"
        said = (
            (self.shuffled_nats, "z shuffled between examples costs more than {:g} nats"),
            (self.kl_nats, "KL is above {:g} nats"),
        )
        return ", and ".join(text.format(limit) for limit, text in said if limit is not None)


# The output bias is trained, so a dead arm lands a few hundredths of a nat to either side of the plateau, not on it.
NEGATIVE_ELBO = Score("-ELBO", "nats", margin=0.2)
"""Of a VAE, at KL weight 1."""

NEGATIVE_LOG_LIKELIHOOD = Score("-log p", "nats", margin=0.2)
"""Of a model that knows the probability of an example."""

# Some 3 % of what the mean image of MNIST misses.
_MARGIN_PER_ENTRY = 0.002


def squared_error(name: str, unit: str, entries: int) -> Score:
    """The score of a squared error that is summed over so many entries."""
    return Score(name, unit, _MARGIN_PER_ENTRY * entries)


BELOW_PLATEAU = Left()
"""Its score lies below the plateau by more than the score's margin."""

Z_IS_USED = Left(shuffled_nats=0.5, kl_nats=0.5)
"""Of an autoregressive decoder, which reaches the data's entropy without z: z holds something, and it is missed."""

_SEVERAL = Score("score", "its unit", margin=math.nan)


def common(scores: Iterable[Score]) -> Score:
    """The score of a table of several workloads: theirs, if it is one, and no name in particular if it is not."""
    found = set(scores)
    return found.pop() if len(found) == 1 else _SEVERAL
