"""One arm beside another on the same seeds: the difference, how sure it is, and the word for it. No jax."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from bench.results.judging.score import Score
from bench.results.judging.statistics import LEVEL, NOTHING, Interval, benjamini_hochberg, holm, p_value, student_t

CONFIRMS_FROM = 5
"""Seeds from which on a suite tells more than a screen."""

BETTER, WORSE, NO_DIFFERENCE, TOO_FEW = "better", "worse", "no difference shown", "too few seeds"
_SCREENED = ", screened"

_NATS = 0.1
_SHARE_OF_PLATEAU = 0.004


@dataclass(frozen=True)
class Comparison:
    """An arm's score minus another's, paired by seed: below 0 it is the better one.

    Attributes:
        other: The other arm.
        seeds: Pairs.
        difference: Their mean difference, in the score's unit.
        p: Adjusted for all comparisons of its family; NaN where there are too few pairs.
        word: What is said of it.
    """

    other: str
    seeds: int
    difference: Interval
    p: float
    word: str

    @property
    def text(self) -> str:
        """The word; where no difference was shown, with what could have been seen."""
        half = (self.difference.high - self.difference.low) / 2
        return f"{self.word} (±{half:.2g})" if self.word.startswith(NO_DIFFERENCE) else self.word


def least_difference(score: Score, plateau: float) -> float:
    """The least difference that is worth a word: seeds on a plateau differ by less, and ever so surely.

    >>> least_difference(Score("-ELBO", "nats", 0.2), 27.2)
    0.1
    >>> round(least_difference(Score("squared error", "per image", 0.1), 52.8), 3)
    0.211
    """
    return _NATS if score.unit == "nats" else _SHARE_OF_PLATEAU * abs(plateau)


def compare(
    pairs: Mapping[str, tuple[str, Mapping[int, float], Mapping[int, float]]], least: float
) -> dict[str, Comparison]:
    """Compare each arm of a family with another, adjusted for all of them.

    Args:
        pairs: Of each arm the other's name, its scores by seed, and the other's.
        least: See `least_difference`.
    """
    differences = {
        arm: (other, [mine[seed] - theirs[seed] for seed in mine if seed in theirs])
        for arm, (other, mine, theirs) in pairs.items()
    }
    return judge({
        arm: Tested(other, len(each), student_t(each) if each else NOTHING, p_value(each))
        for arm, (other, each) in differences.items()
    }, least)  # fmt: skip


class Tested(NamedTuple):
    """A difference by itself: beside what, of how many seeds, its interval, and its own p; NaN where there is none."""

    other: str
    seeds: int
    difference: Interval
    p: float


def judge(tested: Mapping[str, Tested], least: float) -> dict[str, Comparison]:
    """The word for each of a family of differences, adjusted for all of them.

    Args:
        tested: By arm.
        least: See `least_difference`.
    """
    told = {arm: each for arm, each in tested.items() if not math.isnan(each.p)}
    screen = min((each.seeds for each in told.values()), default=0) < CONFIRMS_FROM
    correct = benjamini_hochberg if screen else holm
    adjusted = dict(zip(told, correct([each.p for each in told.values()]), strict=True))
    return {arm: _comparison(each, adjusted.get(arm, math.nan), least, screen) for arm, each in tested.items()}


def _comparison(tested: Tested, p: float, least: float, screen: bool) -> Comparison:
    other, seeds, found, _ = tested
    if math.isnan(p):
        return Comparison(other, seeds, found, p, TOO_FEW)
    word = (BETTER if found.mean < 0 else WORSE) if p <= LEVEL and abs(found.mean) > least else NO_DIFFERENCE
    return Comparison(other, seeds, found, p, word + _SCREENED * screen)


def words(score: Score, plateau: float, seeds: int) -> list[str]:
    """The rule in sentences, made from the constants that compute it.

    Args:
        score: What trainings are judged by.
        plateau: The score of an arm that has learnt nothing.
        seeds: Fresh seeds of the suite.
    """
    screen = seeds < CONFIRMS_FROM
    correction = "Benjamini and Hochberg's" if screen else "Holm's"
    bounds = "the false share of all claims" if screen else "the chance of any false claim"
    said = [
        f"Arms are compared with their base by paired Student's t over all {seeds} seeds, a seed that diverged, failed "
        f"or ran out of time entering with the plateau's {score.name}; {correction} correction over the arms of the "
        f"suite holds {bounds} at {LEVEL:.0%}.",
        f"'{BETTER}' and '{WORSE}' also need a difference above {least_difference(score, plateau):.3g} {score.unit}; "
        f"else it is '{NO_DIFFERENCE}', with half the interval's width, which is what could have been seen.",
    ]
    if screen:
        said.append(f"With fewer than {CONFIRMS_FROM} seeds this is a screen, and every word says so.")
    return said
