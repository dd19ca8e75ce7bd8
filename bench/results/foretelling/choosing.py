"""Rules of early readings, chosen on some kinds of workload and tested on the others. No jax.

A rule says of a network that it stays on the plateau where one of a few readings of its first step lies beyond a limit.
Under an optimizer that divides each coordinate by its own size the first reading's limit is another.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from bench.results.foretelling.networks import Network, reading_of

KINDS = 4
"""Of workload, below which nothing is chosen: a rule that is found on one and tested on one is no rule."""

# What a further reading must add to the mean of sensitivity and specificity: less is what chance adds.
_WORTH = 0.01


class Limit(NamedTuple):
    """A reading and where it is too little; in the sense in which more is expected to leave.

    Attributes:
        instrument: Whose reading.
        plain: The limit under an optimizer that rescales nothing.
        rescaling: And under one that rescales each coordinate.
    """

    instrument: str
    plain: float
    rescaling: float


class Told(NamedTuple):
    """How well a rule tells.

    Attributes:
        sensitivity: Of the networks that stayed, the share of which it says so.
        specificity: Of those that left, the share of which it does not.
        networks: Of how many.
    """

    sensitivity: float
    specificity: float
    networks: int


@dataclass(frozen=True)
class Split:
    """A rule that was chosen on some kinds and tested on the others.

    Attributes:
        chosen_on: Kinds of workload.
        tested_on: The others; none of the rule that was chosen on all.
        rule: Its limits, of which one is enough.
        told: How well it tells those that had no part in the choice; of the rule that was chosen on all, those.
    """

    chosen_on: tuple[str, ...]
    tested_on: tuple[str, ...]
    rule: tuple[Limit, ...]
    told: Told


def splits(networks: Sequence[Network]) -> tuple[Split, ...]:
    """A rule for each choice of half of the kinds, tested on the other half; and last the one that all choose.

    Nothing of fewer than `KINDS`, or where a half has none that left or none that stayed.
    """
    kinds = list(dict.fromkeys(each.group[0] for each in networks))
    if len(kinds) < KINDS:
        return ()
    found = []
    for chosen_on in itertools.combinations(kinds, len(kinds) // 2):
        own = [each for each in networks if each.group[0] in chosen_on]
        others = [each for each in networks if each.group[0] not in chosen_on]
        if _mixed(own) and _mixed(others):
            rule = choose(own)
            tested_on = tuple(kind for kind in kinds if kind not in chosen_on)
            found.append(Split(chosen_on, tested_on, rule, tell(rule, others)))
    if _mixed(networks):
        rule = choose(networks)
        found.append(Split(tuple(kinds), (), rule, tell(rule, networks)))
    return tuple(found)


def choose(networks: Sequence[Network]) -> tuple[Limit, ...]:
    """The reading whose limits tell these networks best, then each further one that adds to it.

    What is best is the mean of sensitivity and specificity, each over kinds: a kind with many networks has no more to
    say than another.
    """
    group = _Group(networks)
    names = sorted({name for each in networks for name in each.readings if reading_of(name).compares})
    rule: tuple[Limit, ...] = ()
    best = group.value(rule)
    while len(rule) < len(names):
        tried = [
            group.fitted((*rule, Limit(name, -math.inf, -math.inf)))
            for name in names
            if name not in (limit.instrument for limit in rule)
        ]
        value, found = max(((group.value(each), each) for each in tried), key=lambda each: each[0])
        if value < best + _WORTH:
            break
        rule, best = found, value
    return rule


def tell(rule: Sequence[Limit], networks: Sequence[Network]) -> Told:
    """How well a rule tells some networks, of which some left and some stayed."""
    said, left = says_they_stay(rule, networks), np.array([each.left for each in networks])
    return Told(float(said[~left].mean()), float((~said[left]).mean()), len(networks))


def says_they_stay(rule: Sequence[Limit], networks: Sequence[Network]) -> np.ndarray:
    """Of each network whether one of its readings lies below its limit; one that it has not is below none."""
    rescales = np.array([each.rescales for each in networks])
    said = np.zeros(len(networks), bool)
    for limit in rule:
        said |= _readings(limit.instrument, networks) < np.where(rescales, limit.rescaling, limit.plain)
    return said


def _readings(name: str, networks: Sequence[Network]) -> np.ndarray:
    return np.array([each.readings.get(name, (math.nan,))[0] for each in networks])


def splits_table(found: Sequence[Split]) -> pd.DataFrame:
    """A row per split: what was chosen, and how well it tells the kinds that had no part in it."""
    return pd.DataFrame([
        {
            "chosen on": ", ".join(each.chosen_on) if each.tested_on else "all",
            "stays where": "; or ".join(map(limit_words, each.rule)) or "never",
            "tested on": ", ".join(each.tested_on) or "the same",
            "n": str(each.told.networks),
            "sensitivity": f"{each.told.sensitivity:.0%}",
            "specificity": f"{each.told.specificity:.0%}",
        }
        for each in found
    ])  # fmt: skip


def limit_words(limit: Limit) -> str:
    """A limit in words, in the instrument's own sense: `always` where all are said to stay, `never` where none."""
    less = reading_of(limit.instrument).leaves == "less"
    beyond, sign = ("above", -1) if less else ("below", 1)

    def told(value: float) -> str:
        if math.isinf(value):
            return "always" if value > 0 else "never"
        return f"{beyond} {sign * value:.3g}"

    return f"{limit.instrument} is {told(limit.plain)} (rescaled: {told(limit.rescaling)})"


SPLIT_WORDS = (
    "Rules chosen on half of the kinds of workload and tested on the other half, which had no part in the choice: of "
    "the networks that stayed the share of which the rule says so (sensitivity), of those that left the share of which "
    "it does not (specificity). Where an optimizer rescales each coordinate, as Adam does, a limit is another."
)
"""What `splits_table` shows."""


def _mixed(networks: Sequence[Network]) -> bool:
    return len({each.left for each in networks}) == 2


class _Group:
    """Networks that a rule is chosen on."""

    def __init__(self, networks: Sequence[Network]):
        self._networks = networks
        self._rescales = np.array([each.rescales for each in networks])
        self._stays = np.array([not each.left for each in networks])
        # Half for those that left and half for those that stayed, each kind's alike.
        self._weights = np.zeros(len(networks))
        kinds = np.array([each.group[0] for each in networks])
        for stays in (True, False):
            there = set(kinds[self._stays == stays])
            for kind in there:
                own = (kinds == kind) & (self._stays == stays)
                self._weights[own] = 0.5 / len(there) / own.sum()

    def value(self, rule: Sequence[Limit]) -> float:
        """The mean of sensitivity and specificity, each over kinds."""
        return float(self._weights[says_they_stay(rule, self._networks) == self._stays].sum())

    def fitted(self, rule: tuple[Limit, ...]) -> tuple[Limit, ...]:
        """The same readings with the best limits that one at a time can be moved to."""
        before = -1.0
        while (value := self.value(rule)) > before:
            before = value
            for place in reversed(range(len(rule))):
                said = says_they_stay([*rule[:place], *rule[place + 1 :]], self._networks)
                name = rule[place].instrument
                limits = (self._limit(name, ~said & (self._rescales == which)) for which in (False, True))
                rule = (*rule[:place], Limit(name, *limits), *rule[place + 1 :])
        return rule

    def _limit(self, name: str, open_: np.ndarray) -> float:
        """The limit below which saying that a network stays is right most, among those of which nothing is said yet.

        In the middle between two readings, and of several that are as good the middle one.
        """
        readings = _readings(name, self._networks)
        open_ = open_ & ~np.isnan(readings)
        values = np.unique(readings[open_])
        if not len(values):
            return -math.inf
        with np.errstate(invalid="ignore"):
            between = (values[1:] + values[:-1]) / 2
        # Between minus infinity and a number lies no middle.
        between = np.where(np.isfinite(between), between, values[1:])
        limits = np.array([-math.inf, *between, math.inf])
        gains = np.where(self._stays, self._weights, -self._weights) * open_
        worth = np.array([gains[readings < limit].sum() for limit in limits])
        best = np.flatnonzero(worth >= worth.max() - 1e-12)
        return float(limits[best[len(best) // 2]])
