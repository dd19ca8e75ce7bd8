"""Tuning: which learning rate an arm is reported at. The rule, in code and in words; the same for every arm."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from bench.planning.protocol import LEAST_TO_GROW, Protocol
from bench.results.judging.score import Left, Score
from bench.results.judging.tuned import LEFT, Rank
from bench.results.stored.records import TrainingRecord

Train = Callable[[list[tuple[int, float]]], list[TrainingRecord]]
"""Trains each (seed, learning rate) and gives their records, judged on validation."""


class Tuned(NamedTuple):
    """What tuning came to.

    Attributes:
        trainings: All that the rate was chosen from, in the order in which they were run.
        learning_rate: The rate; None where every training on the first tuning seed diverged.
    """

    trainings: tuple[TrainingRecord, ...]
    learning_rate: float | None


def tune(protocol: Protocol, scale: float, train: Train, rank: Callable[[TrainingRecord], Rank]) -> Tuned:
    """Choose an arm's learning rate.

    Args:
        protocol: The grid, the tuning seeds, and how often the grid may grow.
        scale: The optimizer's own rate, in the middle of the grid.
        train: See `Train`.
        rank: How good a training is, by its figures on validation.
    """
    if not protocol.tunes:
        return Tuned((), protocol.learning_rates(scale)[0])
    # A place is a rate's index in the grid, 0 at the low end before it grew.
    found: dict[tuple[int, int], TrainingRecord] = {}
    growths = protocol.extensions if protocol.rates >= LEAST_TO_GROW else 0

    def run(seeds: Sequence[int], places: Sequence[int]) -> None:
        wanted = [(seed, place) for seed in seeds for place in places]
        records = train([(seed, protocol.learning_rate(scale, place)) for seed, place in wanted])
        found.update(zip(wanted, records, strict=True))

    def median(seeds: Sequence[int], place: int) -> Rank:
        return sorted(rank(found[seed, place]) for seed in seeds)[len(seeds) // 2]

    def best(seeds: Sequence[int], places: list[int]) -> int:
        """The best of some places on some seeds, after the grid has grown while that was at an edge."""
        nonlocal growths
        while True:
            place = min(places, key=lambda each: median(seeds, each))
            tried = {each for _, each in found}
            beyond = {min(tried): place - 1, max(tried): place + 1}
            # On the plateau no rate is better than another: no side to grow on.
            if not growths or place not in beyond or median(seeds, place).kind != LEFT:
                return place
            growths -= 1
            run(seeds, [beyond[place]])
            places.append(beyond[place])

    first, places = protocol.tuning_seeds[:1], list(range(protocol.rates))
    run(first, places)
    best(first, places)
    ended = [place for place in places if found[first[0], place].score is not None]
    finalists = sorted(ended, key=lambda place: median(first, place))[: protocol.finalists]
    if not finalists:
        return Tuned(tuple(found.values()), None)
    run(protocol.tuning_seeds[1:], finalists)
    chosen = best(protocol.tuning_seeds, finalists)
    return Tuned(tuple(found.values()), protocol.learning_rate(scale, chosen))


def words(protocol: Protocol, score: Score, left: Left) -> list[str]:
    """The rule in sentences, made from the constants that compute it.

    Args:
        protocol: See `tune`.
        score: What trainings are judged by.
        left: The workload's rule of having left the plateau.
    """
    if not protocol.tunes:
        return [f"No rate is tuned: every arm trains {protocol.steps:,} steps at its optimizer's own."]
    first, *others = map(str, protocol.tuning_seeds)
    grown = (
        f"While the best is the lowest or the highest, the grid grows by one rate on that side, at most "
        f"{protocol.extensions} times; where none left the plateau it does not grow, as none is better than another."
    )
    again = (
        "If that rate is at an edge, the grid grows there by one on all tuning seeds, within the same "
        f"{protocol.extensions} times, and the choice is made again."
    )
    grows = protocol.rates >= LEAST_TO_GROW
    return [
        f"Every arm trains {protocol.rates} learning rates, a factor of {protocol.spacing:.3g} apart around its "
        f"optimizer's own scale, for {protocol.steps:,} steps on tuning seed {first}.",
        f"Of two trainings that is better which has left the plateau on validation ({left.words(score)}), then the one "
        f"with the lower {score.name}; one that diverged is worse than any.",
        *([grown] if grows else []),
        f"The best {protocol.finalists} rates are trained on tuning seeds {' and '.join(others)} too, and the rate "
        f"with the best median of the {protocol.tuning} is kept.",
        *([again] if grows else []),
        "A rate at which the median has not left is reported on all the same, and marked: no rate left the plateau.",
    ]
