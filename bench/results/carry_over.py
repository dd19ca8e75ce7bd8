"""Does it carry over? The same arms on several workloads, and how far one orders them as another does. No jax."""

import itertools
import math
from dataclasses import dataclass

import pandas as pd

from bench.results.judging.comparison import BETTER, WORSE
from bench.results.judging.statistics import CONFIDENCE, Interval, interval_text, kendall
from bench.results.results import Results, Row

LEFT_WORDS = (
    "Of how many fresh seeds each arm left the plateau, by each workload's own rule; + better and - worse than its "
    "base there; empty where it was not trained."
)
"""What `carry_over` shows."""

TAU_WORDS = (
    f"How far two workloads order the arms alike, Kendall's tau of their gains with its {CONFIDENCE:.0%} interval:"
)
"""What `agreement_words` list."""


@dataclass(frozen=True)
class Agreement:
    """How far two workloads order their common arms alike.

    Attributes:
        workloads: The two.
        arms: Arms with a gain on both.
        tau: Kendall's rank correlation of their gains, with its interval.
    """

    workloads: tuple[str, str]
    arms: int
    tau: Interval


def carry_over(results: Results) -> pd.DataFrame:
    """A row per arm, a column per workload: of how many seeds it left the plateau, with the word beside its base.

    Arms on two workloads at least; empty of one workload.
    """
    columns = {
        name: {row.cell.arm: _text(row) for row in part.rows if row.scores} for name, part in results.workloads.items()
    }
    frame = pd.DataFrame(columns)
    counts = frame.notna().sum(axis=1)
    order = [
        arm for arm in dict.fromkeys(cell.arm for cell in results.plan.cells) if arm in counts and int(counts[arm]) > 1
    ]
    return frame.loc[order].fillna("")


def agreements(results: Results) -> list[Agreement]:
    """Kendall's tau of each pair of workloads, over the arms that have a gain on both."""
    gains = {
        name: {row.cell.arm: row.gain.mean for row in part.rows if not math.isnan(row.gain.mean)}
        for name, part in results.workloads.items()
    }
    found = []
    for one, other in itertools.combinations(gains, 2):
        common = [arm for arm in gains[one] if arm in gains[other]]
        tau = kendall([gains[one][arm] for arm in common], [gains[other][arm] for arm in common])
        found.append(Agreement((one, other), len(common), tau))
    return found


def agreement_words(results: Results) -> list[str]:
    """Each agreement in words, of those pairs where there is one."""
    return [
        f"{each.workloads[0]} and {each.workloads[1]}, {each.arms} arms: {interval_text(each.tau, like=1.0)}"
        for each in agreements(results)
        if not math.isnan(each.tau.mean)
    ]


def _text(row: Row) -> str:
    told = row.comparison.word if row.comparison else ""
    sign = "+" if told.startswith(BETTER) else "-" if told.startswith(WORSE) else ""
    return f"{len(row.left)} of {len(row.scores)}{' ' + sign if sign else ''}"
