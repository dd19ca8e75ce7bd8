"""Conclusions from a summary, in sentences computed from it; nothing about causes."""

from collections import Counter
from typing import Any

import pandas as pd

from bench.language.figures import significant
from bench.results.columns import row_interval
from bench.results.records import BlameRecord, WorkloadRecord
from bench.results.results import NO_CODE_NATS
from bench.results.score import Score
from bench.results.statistics import CONFIDENCE, interval_text
from bench.results.tables import holds, plateaus, table_rows


def conclusions(table: pd.DataFrame, workload: WorkloadRecord) -> list[str]:
    """A few sentences on one workload's rows: how many arms left the plateau, which is best, what is not there."""
    past = holds(table, "past_z")
    rows = table_rows(table.loc[~past])
    plateau = f"the plateau of {plateaus(table.loc[~past])} {workload.score.unit}"
    return [
        *_left(rows, plateau, workload), *_past(list(table.loc[past, "arm"])), *_best(rows, workload.score),
        *_absent(rows),
    ]  # fmt: skip


def _left(rows: list[Any], plateau: str, workload: WorkloadRecord) -> list[str]:
    if not rows:
        return []
    judged = [row for row in rows if row.left is not None]
    if not judged:
        return [f"No arm has an interval yet, so none can be said to have left {plateau}."]
    seeds = sorted({row.seeds for row in judged})
    over = f"{seeds[0]} seeds" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} seeds"
    return [
        f"{sum(row.left for row in judged)} of {len(judged)} arm{'s' * (len(judged) != 1)} with an interval left "
        f"{plateau}: with the whole {CONFIDENCE:.0%} interval over {over} {workload.left.words(workload.score)}."
    ]


def _past(arms: list[str]) -> list[str]:
    if not arms:
        return []
    return [
        f"Not counted and not ranked: {', '.join(arms)}, below the plateau without a code (KL under {NO_CODE_NATS} "
        "nats): x reaches the decoder past z."
    ]


def _best(rows: list[Any], score: Score) -> list[str]:
    known = [row for row in rows if row.score is not None]
    if not known:
        return []
    best = min(known, key=lambda row: row.score)
    text = f"The lowest mean {score.name} is that of {best.arm}: {interval_text(row_interval(best))} {score.unit}"
    if best.score_high is None:
        return [f"{text}, from one seed."]
    near = [row.arm for row in known if row is not best
            and (row.score if row.score_low is None else row.score_low) <= best.score_high]  # fmt: skip
    if not near:
        return [f"{text}; no other arm's interval reaches that one."]
    listed = ", ".join(near) if len(near) <= 3 else f"{len(near)} others"
    return [f"{text}; its interval overlaps with that of {listed}, so the order among them is open."]


def _absent(rows: list[Any]) -> list[str]:
    counts = Counter(row.status for row in rows if row.status != "ok")
    return [f"Without a mean: {', '.join(f'{count} {status}' for status, count in counts.items())}."] if counts else []


def blame_sentence(blame: BlameRecord) -> str:
    """Which block, or kind of step, keeps the gradient from the first layer."""
    if blame.kind.endswith("over time"):
        return (
            f"To blame: {blame.block}, over time: the gradient at its state after the first step and after the last "
            f"differ by a factor of {significant(blame.factor) or 'inf'}."
        )
    which = f"{blame.block} ({blame.kind})" if blame.block else f"every {blame.kind}"
    much = (
        "a gradient comes back at the first layer, where none does otherwise"
        if blame.factor is None
        else f"{significant(blame.factor)} times as much of the gradient comes back at the first layer"
    )
    return f"To blame: {which}; with its Jacobian replaced by the identity, {much}."
