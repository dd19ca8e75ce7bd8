"""Two folders of results side by side: which differences are real, and what else differs between them. No jax."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.language.errors import InputError
from bench.results.judging.comparison import Comparison, Tested, judge, least_difference
from bench.results.judging.score import NEGATIVE_ELBO, Score
from bench.results.judging.statistics import NOTHING, Interval, Sample, p_value, student_t, welch
from bench.results.published import Published

# What the score was called before workloads had scores of their own.
_FORMER_SCORE = "negative_elbo"


@dataclass(frozen=True)
class Beside:
    """One arm of both.

    Attributes:
        workload: Its workload.
        arm: Its name.
        gains: How far the first's mean and the second's lie below their own plateaus.
        plateau: The second's.
        comparison: The second beside the first: below 0 it is the better one.
        paired: Whether seeds were paired, as both give every training and the same plateau.
        changes: Slots of its recipe that differ, with both values.
    """

    workload: str
    arm: str
    gains: tuple[float, float]
    plateau: float
    comparison: Comparison
    paired: bool
    changes: dict[str, tuple[Any, Any]]


@dataclass(frozen=True)
class TwoRuns:
    """What two folders tell of each other.

    Attributes:
        arms: Those with a score in both, in the order of the first.
        said: In a sentence each, what else differs and what was left out.
        machines: Whether the speeds come from different machines.
    """

    arms: tuple[Beside, ...]
    said: tuple[str, ...]
    machines: bool


def two_runs(one: Published, other: Published, arms: list[str] | None = None) -> TwoRuns:
    """Two folders side by side.

    Args:
        one: The first, which differences are to.
        other: The second.
        arms: Only these; None for all.

    Raises:
        InputError: If they have no workload in common, or an arm is in neither.
    """
    tables = [_scored(each, arms) for each in (one, other)]
    workloads = [list(dict.fromkeys(table["workload"])) for table in tables]
    common = [name for name in workloads[0] if name in workloads[1]]
    if not common:
        raise InputError(
            f"{str(one.directory)!r} and {str(other.directory)!r} have no workload in common: "
            f"{', '.join(workloads[0]) or 'none'} and {', '.join(workloads[1]) or 'none'}; give two runs of one"
        )
    left_out = [
        f"Only in {each.directory}: workload {name}."
        for each, names in zip((one, other), workloads, strict=True)
        for name in names
        if name not in common
    ]
    found: list[Beside] = []
    for name in common:
        found += _workload(name, one, other, tables)
        left_out += _left_out(name, one, other, tables)
    machines = [{str(each["name"]) for each in side.about.get("machines", [])} for side in (one, other)]
    return TwoRuns(tuple(found), (*left_out, *_about(one, other)), all(machines) and machines[0] != machines[1])


def _scored(side: Published, arms: list[str] | None) -> pd.DataFrame:
    table = side.summary.rename(columns={
        name: name.replace(_FORMER_SCORE, "score") for name in side.summary if name.startswith(_FORMER_SCORE)
    } if "score" not in side.summary else {})  # fmt: skip
    absent = sorted({"score", "score_low", "score_high", "plateau", "seeds"} - set(table))
    if absent:
        raise InputError(
            f"the summary of {str(side.directory)!r} has no column {' and '.join(map(repr, absent))}: it was made "
            "under another protocol, and its run is to be made anew"
        )
    if arms is None:
        return table
    unknown = [arm for arm in arms if arm not in set(table["arm"])]
    if unknown:
        raise InputError(
            f"{str(side.directory)!r} has no arm {' and '.join(map(repr, unknown))}: give some of its table"
        )
    return table.loc[table["arm"].isin(arms)]


def _workload(name: str, one: Published, other: Published, tables: list[pd.DataFrame]) -> list[Beside]:
    rows = [table[(table["workload"] == name) & table["score"].notna()].set_index("arm") for table in tables]
    common = [arm for arm in rows[0].index if arm in rows[1].index]
    about = other.about.get("workloads", {}).get(name) or one.about.get("workloads", {}).get(name) or {}
    score = Score(**about["score"]) if about else NEGATIVE_ELBO
    tested = {arm: _tested(name, arm, one, other, [row.loc[arm] for row in rows]) for arm in common}
    plateau = float(rows[1]["plateau"].iloc[0]) if len(rows[1]) else 0.0
    words = judge({arm: each for arm, (each, _) in tested.items()}, least_difference(score, plateau))
    recipes = [side.about.get("recipes", {}).get(name, {}) for side in (one, other)]
    return [
        Beside(
            workload=name,
            arm=arm,
            gains=tuple(float(row.loc[arm, "plateau"] - row.loc[arm, "score"]) for row in rows),  # type: ignore
            plateau=float(rows[1].loc[arm, "plateau"]),  # type: ignore
            comparison=words[arm],
            paired=tested[arm][1],
            changes=_changes(*(recipe.get(arm, {}) for recipe in recipes)),
        )
        for arm in common
    ]


def _tested(workload: str, arm: str, one: Published, other: Published, rows: list[pd.Series]) -> tuple[Tested, bool]:
    """The second's score above its plateau minus the first's, by seeds where that can be."""
    above = [_above(side, workload, arm, row) for side, row in zip((one, other), rows, strict=True)]
    seeds = sorted(set(above[0]) & set(above[1]))
    if len(seeds) > 1 and np.isclose(rows[0]["plateau"], rows[1]["plateau"], rtol=1e-9):
        differences = [above[1][seed] - above[0][seed] for seed in seeds]
        found = Tested(str(one.directory), len(seeds), student_t(differences), p_value(differences))
        return found, True
    samples = [_sample(each, row) for each, row in zip(above, rows, strict=True)]
    if any(each is None for each in samples):
        return Tested(str(one.directory), 0, NOTHING, float("nan")), False
    first, second = (each for each in samples if each is not None)
    interval, p = welch(second, first)
    return Tested(str(one.directory), min(first.size, second.size), interval, p), False


def _above(side: Published, workload: str, arm: str, row: pd.Series) -> dict[int, float]:
    """Each fresh seed's score above the plateau; one that diverged is on it. Empty where only means are known."""
    if side.trainings is None:
        return {}
    every = side.trainings
    own = every[(every["workload"] == workload) & (every["arm"] == arm) & (every["phase"] == "reporting")]
    plateau = float(row["plateau"])
    return {
        int(seed): 0.0 if pd.isna(score) else float(score) - plateau
        for seed, score in zip(own["seed"], own["score"], strict=True)
    }


def _sample(above: dict[int, float], row: pd.Series) -> Sample | None:
    if len(above) > 1:
        return Sample.of(list(above.values()))
    mean, low, high = (float(row[name]) - float(row["plateau"]) for name in ("score", "score_low", "score_high"))
    return None if np.isnan(low) else Sample.behind(Interval(mean, low, high), int(row["seeds"]))


def _left_out(name: str, one: Published, other: Published, tables: list[pd.DataFrame]) -> list[str]:
    said, own = [], [table[table["workload"] == name] for table in tables]
    for side, table, beside in ((one, own[0], own[1]), (other, own[1], own[0])):
        only = [arm for arm in table["arm"] if arm not in set(beside["arm"])]
        said += [f"Only in {side.directory}: {_some(only)}."] if only else []
        without = table.loc[table["score"].isna()]
        bare = [
            f"{arm} ({status})"
            for arm, status in zip(without["arm"], without["status"], strict=True)
            if arm not in only
        ]
        said += [f"Without a score in {side.directory}: {_some(bare)}."] if bare else []
    return said


def _about(one: Published, other: Published) -> list[str]:
    silent = [str(side.directory) for side in (one, other) if not side.about]
    if silent:
        return [f"What {' and '.join(silent)} rests on is not known: it was published without an about.json."]
    said = []
    versions = [{k: v for each in side.about["versions"] for k, v in each.items()} for side in (one, other)]
    changed = [
        f"{name} {versions[0].get(name, 'absent')} -> {versions[1].get(name, 'absent')}"
        for name in sorted(versions[0].keys() | versions[1].keys())
        if versions[0].get(name) != versions[1].get(name)
    ]
    said += [f"Versions: {', '.join(changed)}."] if changed else []
    commits = [", ".join(side.about["commits"]) or "unknown" for side in (one, other)]
    said += [f"Commits: {commits[0]} -> {commits[1]}."] if commits[0] != commits[1] else []
    words = [side.about["protocol"] for side in (one, other)]
    said += [f"Protocol, no more: {each}" for each in words[0] if each not in words[1]]
    said += [f"Protocol, new: {each}" for each in words[1] if each not in words[0]]
    return said


def _changes(one: dict[str, Any], other: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    if not one or not other:
        return {}
    return {
        slot: (one.get(slot), other.get(slot)) for slot in one.keys() | other.keys() if one.get(slot) != other.get(slot)
    }


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} others" if len(names) > 5 else "")
