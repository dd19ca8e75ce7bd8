"""Rules of early readings, chosen on some kinds of workload and tested on the others. No jax.

A rule says of a network that it stays on the plateau where one of a few readings of its first step lies beyond a limit.
Under an optimizer that divides each coordinate, or each layer, by its own size a reading's limit is another; and a
reading may count only where there is a KL term, which competes for the same weights.
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
_WORTH = 0.03


class Limit(NamedTuple):
    """A reading and where it is too little; in the sense in which more is expected to leave.

    Attributes:
        instrument: Whose reading.
        coded: Whether it is read only of networks with a KL term.
        plain: The limit under an optimizer that rescales nothing; minus infinity where it never holds.
        rescaling: And under one that rescales.
    """

    instrument: str
    coded: bool = False
    plain: float = -math.inf
    rescaling: float = -math.inf


Rule = tuple[Limit, ...]

VERDICT: Rule = (Limit("hidden_gradient"), Limit("shared_gradient", coded=True))
"""What the verdict's words are made of, limits aside: `vanishing` and `dead signal`."""


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
    rule: Rule
    told: Told


def splits(networks: Sequence[Network], form: Rule | None = None) -> tuple[Split, ...]:
    """A rule for each choice of half of the kinds, tested on the other half; and last the one that all choose.

    Nothing of fewer than `KINDS`, or where a half has none that left or none that stayed.

    Args:
        networks: Of several kinds.
        form: The readings of the rule, whose limits alone are chosen; without one the readings are chosen too.
    """
    kinds = list(dict.fromkeys(each.group[0] for each in networks))
    if len(kinds) < KINDS:
        return ()
    found = []
    for chosen_on in itertools.combinations(kinds, len(kinds) // 2):
        own = [each for each in networks if each.group[0] in chosen_on]
        others = [each for each in networks if each.group[0] not in chosen_on]
        if _mixed(own) and _mixed(others):
            rule = choose(own, form)
            tested_on = tuple(kind for kind in kinds if kind not in chosen_on)
            found.append(Split(chosen_on, tested_on, rule, tell(rule, others)))
    if _mixed(networks):
        rule = choose(networks, form)
        found.append(Split(tuple(kinds), (), rule, tell(rule, networks)))
    return tuple(found)


def choose(networks: Sequence[Network], form: Rule | None = None) -> Rule:
    """The reading whose limits tell these networks best, then each further one that adds to it.

    What is best is the mean of sensitivity and specificity, each over kinds: a kind with many networks has no more to
    say than another.

    Args:
        networks: Of which some left and some stayed.
        form: The readings, where they are chosen already.
    """
    group = _Group(networks)
    if form is not None:
        return group.fitted(form)
    # Where all have a code, or none has, it is one reading.
    scopes = (False, True) if len({each.coded for each in networks}) == 2 else (False,)
    names = sorted({name for each in networks for name in each.readings if reading_of(name).compares})
    left = [Limit(name, coded) for name in names for coded in scopes]
    rule: Rule = ()
    best = group.value(rule)
    while left:
        tried = [group.fitted((*rule, limit)) for limit in left]
        value, place = max((group.value(each), -place) for place, each in enumerate(tried))
        if value < best + _WORTH:
            break
        rule, best = tried[-place], value
        del left[-place]
    return rule


def tell(rule: Rule, networks: Sequence[Network]) -> Told:
    """How well a rule tells some networks, of which some left and some stayed."""
    said, left = says_they_stay(rule, networks), np.array([each.left for each in networks])
    return Told(float(said[~left].mean()), float((~said[left]).mean()), len(networks))


def says_they_stay(rule: Rule, networks: Sequence[Network]) -> np.ndarray:
    """Of each network whether one of its readings lies below its limit; one that it has not is below none."""
    return _below(rule, [_readings(limit, networks) for limit in rule], np.array([each.rescales for each in networks]))


def _below(rule: Rule, readings: Sequence[np.ndarray], rescales: np.ndarray) -> np.ndarray:
    said = np.zeros(len(rescales), bool)
    for limit, own in zip(rule, readings, strict=True):
        said |= own < np.where(rescales, limit.rescaling, limit.plain)
    return said


def _readings(limit: Limit, networks: Sequence[Network]) -> np.ndarray:
    nothing = (math.nan,)
    return np.array([
        (each.readings.get(limit.instrument, nothing) if each.coded or not limit.coded else nothing)[0]
        for each in networks
    ])  # fmt: skip


def splits_table(found: Sequence[Split]) -> pd.DataFrame:
    """A row per split: what was chosen, and how well it tells how many of the other kinds; and the mean over splits."""
    rows = [
        {
            "chosen on": ", ".join(each.chosen_on) if each.tested_on else "all, and tested on the same",
            "stays where": "; or ".join(map(limit_words, each.rule)) or "never",
            "n": str(each.told.networks),
            "sensitivity": f"{each.told.sensitivity:.0%}",
            "specificity": f"{each.told.specificity:.0%}",
        }
        for each in found
    ]
    if tested := [each.told for each in found if each.tested_on]:
        mean = {
            "chosen on": f"the mean over {len(tested)}", "stays where": "", "n": "",
            "sensitivity": f"{np.mean([each.sensitivity for each in tested]):.0%}",
            "specificity": f"{np.mean([each.specificity for each in tested]):.0%}",
        }  # fmt: skip
        rows.insert(len(tested), mean)
    return pd.DataFrame(rows)


def limit_words(limit: Limit) -> str:
    """A limit in words, in the instrument's own sense: `always` where all are said to stay, `never` where none."""
    less = reading_of(limit.instrument).leaves == "less"
    beyond, sign = ("above", -1) if less else ("below", 1)

    def told(value: float) -> str:
        if math.isinf(value):
            return "always" if value > 0 else "never"
        return f"{beyond} {sign * value:.3g}"

    where = ", with a KL term," if limit.coded else ""
    return f"{limit.instrument}{where} is {told(limit.plain)} (rescaled: {told(limit.rescaling)})"


_SPLIT = (
    "chosen on half of the kinds of workload and tested on the other half, which had no part in the choice: of the "
    "networks that stayed the share of which the rule says so (sensitivity), of those that left the share of which it "
    "does not (specificity). Where an optimizer rescales, as Adam does, a limit is another."
)
VERDICT_SPLIT_WORDS = f"The limits of the verdict's rules, {_SPLIT}"
SPLIT_WORDS = f"Rules of any readings, readings and limits {_SPLIT}"
"""What `splits_table` shows, of the verdict's form and of any."""


def _mixed(networks: Sequence[Network]) -> bool:
    return len({each.left for each in networks}) == 2


class _Group:
    """Networks that a rule is chosen on."""

    def __init__(self, networks: Sequence[Network]):
        self._networks = networks
        self._readings: dict[tuple[str, bool], np.ndarray] = {}
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

    def _read(self, limit: Limit) -> np.ndarray:
        key = limit.instrument, limit.coded
        if key not in self._readings:
            self._readings[key] = _readings(limit, self._networks)
        return self._readings[key]

    def _says(self, rule: Rule) -> np.ndarray:
        return _below(rule, [self._read(limit) for limit in rule], self._rescales)

    def value(self, rule: Rule) -> float:
        """The mean of sensitivity and specificity, each over kinds."""
        return float(self._weights[self._says(rule) == self._stays].sum())

    def fitted(self, rule: Rule) -> Rule:
        """The same readings with the best limits that one at a time can be moved to."""
        before = -1.0
        while (value := self.value(rule)) > before:
            before = value
            for place in reversed(range(len(rule))):
                said = self._says((*rule[:place], *rule[place + 1 :]))
                own = rule[place]
                plain, rescaling = (self._limit(own, ~said & (self._rescales == which)) for which in (False, True))
                own = own._replace(plain=plain, rescaling=rescaling)
                rule = (*rule[:place], own, *rule[place + 1 :])
        return rule

    def _limit(self, limit: Limit, open_: np.ndarray) -> float:
        """The limit below which saying that a network stays is right most, among those of which nothing is said yet.

        In the middle between two readings, and of several that are as good the middle one.
        """
        readings = self._read(limit)
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
        order = np.argsort(readings)
        below = np.searchsorted(readings[order], limits)
        worth = np.concatenate([[0.0], np.cumsum(gains[order])])[below]
        best = np.flatnonzero(worth >= worth.max() - 1e-12)
        return float(limits[best[len(best) // 2]])
