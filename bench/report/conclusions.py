"""Conclusions from a summary, in sentences computed from it; nothing about causes."""

import math
from collections import Counter
from typing import Any

from bench.language.figures import significant
from bench.results.judging.comparison import WORSE, compare, least_difference
from bench.results.judging.statistics import interval_text
from bench.results.results import NO_CODE_NATS, Results, Row
from bench.results.stored.records import BlameRecord, WorkloadRecord
from bench.results.tables import apart, holds, plateaus, table_rows


def conclusions(results: Results) -> list[str]:
    """A few sentences on one workload's arms: what to do, how sure that is and what it costs; how many arms left the
    plateau; what is not ranked, and what is not there.
    """
    table, (name,) = results.summary, results.workloads
    workload = results.plan.workloads[name]
    past = holds(table, "past_z")
    rows = table_rows(table.loc[~past])
    return [
        *_answer(results, set(table.loc[apart(table), "arm"])),
        *_left(rows, f"the plateau of {plateaus(table.loc[~past])} {workload.score.unit}", workload),
        *_past(list(table.loc[past, "arm"])),
        *_controls(list(table.loc[holds(table, "control") & table["gain"].notna(), "arm"])),
        *_absent(rows),
    ]


def _answer(results: Results, unranked: set[str]) -> list[str]:
    """What to do on this workload, how sure that is, and what it costs."""
    trained = [row for row in results.rows if row.scores and row.cell.arm not in unranked]
    ranked = sorted((row for row in trained if row.mostly_left), key=lambda row: -row.gain.mean)
    if not ranked:
        few = f"{len(trained)} arm{'s' * (len(trained) != 1)}"
        return [f"None of {few} left the plateau in more than half of its seeds."] if trained else []
    best, *others = ranked
    unit, word = best.workload.score.unit, best.comparison
    beside = f"; beside {word.other}: {word.text}" if word else ""
    first = (
        f"The largest gain is that of {best.cell.arm}: {interval_text(best.gain, like=best.plateau)} {unit} below the "
        f"plateau, which {len(best.left)} of {len(best.scores)} seeds left{beside}."
    )
    least = least_difference(best.workload.score, best.plateau)
    compared = compare({row.cell.arm: (best.cell.arm, row.scores, best.scores) for row in others}, least)
    near = [row for row in others if not compared[row.cell.arm].word.startswith(WORSE)]
    cost = "" if best.timing is None else f" A step takes {_times(best)} as long as the baseline's."
    if not near:
        none = "no other arm left the plateau in more than half of its seeds"
        told = "every other arm that left is worse" if others else none
        return [first, f"By the same rule {told}.{cost}"]
    cheap = min((row for row in near if row.timing), key=lambda row: _slowdown(row), default=None)
    listed = ", ".join(row.cell.arm for row in near) if len(near) <= 3 else f"{len(near)} others"
    least_cost = "" if cheap is None or best.timing is None or _slowdown(cheap) >= _slowdown(best) else (
        f", the cheapest of them {cheap.cell.arm} at {_times(cheap)}"
    )  # fmt: skip
    return [first, f"It is not told apart from {listed}{least_cost}.{cost}"]


def _slowdown(row: Row) -> float:
    return row.timing.slowdown if row.timing else math.inf


def _times(row: Row) -> str:
    return f"{_slowdown(row):.2f} times"


def _left(rows: list[Any], plateau: str, workload: WorkloadRecord) -> list[str]:
    judged = [row for row in rows if row.seeds]
    if not judged:
        return []
    every, some = (sum(told(row) for row in judged) for told in (
        lambda row: row.left == row.seeds, lambda row: 0 < row.left < row.seeds
    ))  # fmt: skip
    arms = f"{len(judged)} arm{'s' * (len(judged) != 1)}"
    return [
        f"All seeds of {every} of {arms}, and some of {some} more, left {plateau}: "
        f"{workload.left.words(workload.score)}."
    ]


def _past(arms: list[str]) -> list[str]:
    if not arms:
        return []
    return [
        f"Not counted and not ranked: {', '.join(arms)}, below the plateau without a code (KL under {NO_CODE_NATS} "
        "nats): x reaches the decoder past z."
    ]


def _controls(arms: list[str]) -> list[str]:
    return [f"Not ranked, being controls: {', '.join(arms)}."] if arms else []


def _absent(rows: list[Any]) -> list[str]:
    counts = Counter(row.status for row in rows if row.status != "ok")
    return [f"Other than ok: {', '.join(f'{count} {status}' for status, count in counts.items())}."] if counts else []


def drawn_otherwise(results: Results) -> str:
    """Which arms do not begin with their base's initial weights, though from the same seeds, and why."""
    arms: dict[str, list[str]] = {}
    for row in results.stored:
        for slot in row.cell.drawn_by:
            arms.setdefault(slot, []).append(row.cell.arm)
    if not arms:
        return "All arms begin with the same initial weights."
    told = (f"{slot} ({_some(own)})" for slot, own in sorted(arms.items(), key=lambda item: -len(item[1])))
    return (
        "Initial weights are the same draws too, wherever shapes allow; of these arms another model is drawn, by the "
        f"slot that they change: {'; '.join(told)}."
    )


def _some(arms: list[str]) -> str:
    return ", ".join(arms) if len(arms) <= _NAMED else f"{', '.join(arms[:_NAMED])} and {len(arms) - _NAMED} more"


# Of more arms than this by one slot the page's table tells, under each arm's recipe.
_NAMED = 12


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
