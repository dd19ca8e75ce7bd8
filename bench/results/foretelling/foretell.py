"""What the start foretells: how well each reading tells, early on, which networks will leave the plateau. No jax.

Nothing is trained for it: readings and ends are those of the stored cells.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from bench.results.foretelling.choosing import SPLIT_WORDS, VERDICT, VERDICT_SPLIT_WORDS, splits, splits_table
from bench.results.foretelling.discrimination import Threshold, area_under_curve, best_guess, best_threshold
from bench.results.foretelling.networks import (
    NO_WORD,
    SHARES,
    Limits,
    Network,
    heading,
    networks_of,
    reading_of,
    word_of,
)
from bench.results.judging.statistics import CONFIDENCE, Interval, exact_binomial, interval_text
from bench.results.results import Results

LEAST = 10
"""Networks below which nothing is said."""


@dataclass(frozen=True)
class Foretold:
    """How well one instrument foretells.

    Attributes:
        instrument: Its name.
        words: What is read of it.
        leaves: Whether those with `more` or with `less` of it are expected to leave.
        networks: How many have a reading at the start.
        areas: At each of `SHARES` the area under the curve, within kinds, bases and optimizers.
        by_group: That at the first step in each kind of workload and optimizer, within bases, where there is one.
        threshold: At the start, where it divides best over all; in the instrument's own sense.
    """

    instrument: str
    words: str
    leaves: str
    networks: int
    areas: tuple[Interval, ...]
    by_group: dict[str, Interval]
    threshold: Threshold | None


@dataclass(frozen=True)
class Said:
    """What became of the networks of which a verdict's rule holds at the start, by the first that holds.

    Attributes:
        word: The verdict's, or `none of these`.
        rescales: Whether their recipe rescales each coordinate or each layer.
        left: How many left.
        networks: Of how many.
    """

    word: str
    rescales: bool
    left: int
    networks: int

    @property
    def share(self) -> Interval:
        """The share that left, with its exact interval."""
        return exact_binomial(self.left, self.networks)


@dataclass(frozen=True)
class Foretelling:
    """What the start of a run's trainings foretells of their end.

    Attributes:
        networks: All that were trained.
        foretold: Of each instrument, that which foretells best at the start first.
        said: Of each rule; empty where the plan does not tell the rules' limits.
        guessed: How many are told rightly by their kind, base and optimizer alone.
        silence: Why nothing is said, in a sentence; empty where something is.
    """

    networks: tuple[Network, ...]
    foretold: tuple[Foretold, ...]
    said: tuple[Said, ...]
    guessed: int
    silence: str = ""

    @property
    def left(self) -> int:
        """How many networks left."""
        return sum(each.left for each in self.networks)

    @property
    def kinds(self) -> list[str]:
        """The kinds of workload."""
        return list(dict.fromkeys(each.group[0] for each in self.networks))

    @property
    def rightly(self) -> int:
        """How many the rules tell rightly: a word foretells that it stays, none that it leaves."""
        return sum(each.left if each.word == NO_WORD else each.networks - each.left for each in self.said)


def foretell(results: Results) -> Foretelling:
    """What the start foretells of the end, from stored cells.

    Args:
        results: Of one workload or several.
    """
    return judged(networks_of(results), results.plan.verdict_limits)


def judged(networks: tuple[Network, ...], limits: Limits) -> Foretelling:
    """What the readings of some networks foretell of their ends.

    Args:
        networks: See above.
        limits: Of each rule of the verdict that is read off the first step; without them nothing is said of rules.
    """
    left = [each.left for each in networks]
    silence = ""
    if len(networks) < LEAST:
        silence = f"{len(networks)} trained networks are too few to say what foretells their end: {LEAST} are needed"
    elif len(set(left)) == 1:
        silence = f"{'all' if left[0] else 'none'} of {len(left)} networks left: no reading can tell one from another"
    if silence:
        return Foretelling(networks, (), (), 0, silence)
    names = dict.fromkeys(name for each in networks for name in each.readings)
    foretold = [_foretold(name, networks) for name in names]
    told = [each for each in foretold if not math.isnan(each.areas[0].mean)]
    told.sort(key=lambda each: (-each.areas[0].mean, each.instrument))
    said = _said(networks, limits)
    return Foretelling(networks, tuple(told), said, best_guess(left, [each.group for each in networks]),
                       "" if told else _NO_GROUP)  # fmt: skip


_NO_GROUP = (
    "in no kind of workload, base and optimizer some networks left and some stayed: nothing can be told apart there "
    "but by those"
)


def foretelling_words(found: Foretelling) -> list[str]:
    """What was found, in sentences."""
    if found.silence:
        return [f"{found.silence[0].upper()}{found.silence[1:]}."]
    best, least = found.foretold[0], min(found.foretold, key=lambda each: abs(each.areas[0].mean - 0.5))
    wrong = found.foretold[-1]
    structures, count = len({each.structure for each in found.networks}), len(found.networks)
    sentences = [
        f"At the first step {best.instrument} ({best.words}) foretells best which networks leave the plateau: of two "
        "of one kind of workload, base and optimizer, of which one left and one stayed, it puts the right one first in "
        f"{_percent(best.areas[0])} of pairs, where 50% is chance"
        + (f"; {least.instrument} tells least, {_percent(least.areas[0])}" if least is not best else "")
        + f". {count} networks of {structures} structures, of which {found.left} left.",
        f"Who looks at nothing but kind, base and optimizer is right about {found.guessed} of {count}"
        + (f", the verdict's rules about {found.rightly}." if found.said else "."),
    ]
    if wrong.areas[0].high < 0.5:
        other = "less" if wrong.leaves == "more" else "more"
        sentences.append(
            f"{wrong.instrument} ({wrong.words}) was expected to foretell it by {wrong.leaves}, and does by {other}: "
            f"the right one first in {_percent(wrong.areas[0])}."
        )
    if len(found.kinds) == 1:
        sentences.append(f"All of this is {found.kinds[0]}: what holds there need not hold elsewhere.")
    return sentences


def areas_table(found: Foretelling) -> pd.DataFrame:
    """A row per instrument, the best first: its area under the curve at each of `SHARES`, and where it divides best."""
    rows = [
        {
            "instrument": each.instrument,
            "what is read": each.words,
            "leaves with": each.leaves,
            "n": str(each.networks),
            **{heading(share): interval_text(area, like=0.5) for share, area in zip(SHARES, each.areas, strict=True)},
            "divides best at": "" if each.threshold is None else f"{each.threshold.limit:.3g}",
            "sensitivity": "" if each.threshold is None else f"{each.threshold.sensitivity:.0%}",
            "specificity": "" if each.threshold is None else f"{each.threshold.specificity:.0%}",
        }
        for each in found.foretold
    ]
    return pd.DataFrame(rows)


def rules_table(found: Foretelling) -> pd.DataFrame:
    """A row per verdict at the first step, by the first rule that holds: how many left all the same."""
    return pd.DataFrame([
        {
            "at the first step": each.word,
            "the optimizer": "rescales" if each.rescales else "does not rescale",
            "left": f"{each.left} of {each.networks}",
            "share": _percent(each.share),
        }
        for each in found.said
    ])  # fmt: skip


def foretelling_tables(found: Foretelling) -> list[tuple[str, pd.DataFrame]]:
    """What was found, as tables with what each shows; those that have rows."""
    tables = (
        (AREA_WORDS, areas_table(found)),
        (RULE_WORDS, rules_table(found)),
        (VERDICT_SPLIT_WORDS, splits_table(splits(found.networks, VERDICT))),
        (SPLIT_WORDS, splits_table(splits(found.networks))),
    )
    return [(words, table) for words, table in tables if len(table)]


AREA_WORDS = (
    "The area under the curve: of two networks of one kind of workload, base and optimizer, of which one left the "
    "plateau and one stayed, how often the reading puts the right one first; 0.5 is chance. "
    f"{CONFIDENCE:.0%} intervals by resampling structures: arms with the same forward pass at the start are one "
    "witness. The direction of each was set beforehand. Where it divides best, and how well, is over all networks and "
    "found on themselves."
)
"""What `areas_table` shows."""

RULE_WORDS = (
    "What the verdict's rules say at the first step, by the first that holds, and how many left all the same, with the "
    f"exact {CONFIDENCE:.0%} interval of their share."
)
"""What `rules_table` shows."""


def _percent(share: Interval) -> str:
    bounds = "" if math.isnan(share.low) else f" [{share.low:.0%}, {share.high:.0%}]"
    return f"{share.mean:.0%}{bounds}"


def _foretold(name: str, networks: Sequence[Network]) -> Foretold:
    kind = reading_of(name)
    read = [each for each in networks if name in each.readings]
    areas = tuple(_area(read, name, place) for place in range(len(SHARES)))
    members: dict[str, list[Network]] = {}
    for each in read:
        members.setdefault(f"{each.group[0]}, {each.group[2]}", []).append(each)
    by_group = {group: area for group, own in members.items() if not math.isnan((area := _area(own, name, 0)).mean)}
    start = [each.readings[name][0] for each in read]
    threshold = best_threshold(start, [each.left for each in read])
    if threshold is not None and kind.leaves == "less":
        threshold = threshold._replace(limit=-threshold.limit)
    told = sum(not math.isnan(each) for each in start)
    return Foretold(name, kind.words, kind.leaves, told, areas, by_group, threshold)


def _area(networks: Sequence[Network], name: str, place: int) -> Interval:
    return area_under_curve(
        [each.readings[name][place] for each in networks],
        [each.left for each in networks],
        [each.group for each in networks],
        [each.structure for each in networks],
    )


def _said(networks: Sequence[Network], limits: Limits) -> tuple[Said, ...]:
    if not limits:
        return ()
    counts = {(word, rescales): [0, 0] for word in (*limits, NO_WORD) for rescales in (False, True)}
    for each in networks:
        counts[word_of(each, limits), each.rescales][0] += each.left
        counts[word_of(each, limits), each.rescales][1] += 1
    return tuple(Said(*of, *count) for of, count in counts.items() if count[1])
