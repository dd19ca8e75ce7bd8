"""Which remedies mended what a verdict names, in this suite's own published runs. No jax."""

from collections import defaultdict
from typing import NamedTuple

import pandas as pd

MOST = 5


class Advice(NamedTuple):
    """A remedy that mended a finding.

    Attributes:
        remedy: Its name.
        left: Of how many pairs of arms that differ in this remedy alone, the first stuck with the finding, the second
            left the plateau.
        pairs: Of how many.
    """

    remedy: str
    left: int
    pairs: int


MENDED = {
    "vanishing": (
        Advice("tanh", 17, 17),
        Advice("relu", 8, 22),
        Advice("batch_norm", 7, 9),
        Advice("selu", 5, 5),
        Advice("gelu", 5, 22),
    ),
    "dead signal": (Advice("tanh", 13, 13), Advice("gelu", 8, 13), Advice("he_normal", 1, 12)),
    "collapsed": (Advice("free_bits", 1, 1), Advice("orthogonal_recurrent", 1, 1)),
}
"""By verdict what mended it most often, as `mended` finds it in the published results; a test holds them equal."""


def mended(summary: pd.DataFrame) -> dict[str, tuple[Advice, ...]]:
    """What mended each finding, over all pairs of arms of a workload that differ in one remedy alone.

    The first of a pair is stuck with this verdict, half of its seeds or more; of the second it is asked whether
    most have left. A pair that several suites have run counts once.

    Args:
        summary: The summaries of suites, one below the other.

    Returns:
        By verdict at most `MOST` remedies that mended it at least once, those that did most often first.
    """
    told = summary.loc[summary["left"].notna()].drop_duplicates(["workload", "arm"])
    bases = set(summary.loc[summary["family"] == "base", "arm"])
    found: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for _, arms in told.groupby("workload", sort=False):
        by_name = {arm.arm: arm for arm in arms.itertuples()}
        for arm in by_name.values():
            parts = str(arm.arm).split("+")
            for place, remedy in enumerate(parts):
                without = "+".join(parts[:place] + parts[place + 1 :]) or "baseline"
                first = by_name.get(without)
                if remedy in bases or first is None or not isinstance(first.verdict, str):
                    continue
                if first.verdict != "healthy" and 2 * first.left <= first.seeds:
                    found[first.verdict][remedy.partition("[")[0]].append(2 * arm.left > arm.seeds)
    return {
        word: tuple(sorted(
            (Advice(remedy, sum(ends), len(ends)) for remedy, ends in remedies.items() if any(ends)),
            key=lambda advice: (-advice.left, advice.pairs),
        )[:MOST])
        for word, remedies in found.items() if any(map(any, remedies.values()))
    }  # fmt: skip


def advice_for(word: str) -> tuple[Advice, ...]:
    """What mended a finding; empty of one of which no published run tells."""
    return MENDED.get(word, ())
