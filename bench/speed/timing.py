"""How two candidates are compared, and the rows that say what was found."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture

RATIO = "ratio"
"""The unit of a row that says one over another."""


def interleave(
    benchmark: BenchmarkFixture, over: Callable[[], Any], under: Callable[[], Any], rounds: int, warm_up: int = 1
) -> tuple[list[float], list[float]]:
    """Seconds per call of two candidates, taken in turns; the first ones warm up and are not counted.

    A machine's speed drifts; candidates of one round have met the same machine, so their ratio has not.
    """
    seconds: list[float] = []

    def before_each_round() -> None:
        begun = time.perf_counter()
        under()
        seconds.append(time.perf_counter() - begun)

    benchmark.pedantic(over, setup=before_each_round, rounds=rounds, warmup_rounds=warm_up)
    stats: Any = benchmark.stats
    return list(stats.stats.data), seconds[warm_up:]


def note(
    benchmark: BenchmarkFixture, group: str, question: str, over: Sequence[float], under: Sequence[float], **about: Any
) -> None:
    """Keep a row for the table: median and quartiles of the rounds' ratios, and what else is known.

    Args:
        benchmark: Its test.
        group: What the row belongs to.
        question: What over what.
        over: Seconds of each round.
        under: The same of what it is held against.
        about: Other columns, as `steps` that one call takes, `goal_at_most` or `goal_at_least`.
    """
    seconds = {"over_seconds": float(np.median(over)), "under_seconds": float(np.median(under))}
    _keep(benchmark, group, question, RATIO, np.divide(over, under).tolist(), **seconds, **about)


def note_cost(
    benchmark: BenchmarkFixture, group: str, question: str, unit: str, values: Sequence[float], **about: Any
) -> None:
    """Keep a row of something that has a unit, as seconds; the rest as in `note`."""
    _keep(benchmark, group, question, unit, values, **about)


def _keep(
    benchmark: BenchmarkFixture, group: str, question: str, unit: str, values: Sequence[float], **about: Any
) -> None:
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
    row = {"unit": unit, "value": median, "low": low, "high": high, "rounds": len(values)}
    benchmark.extra_info.setdefault("rows", []).append({"group": group, "question": question, **row, **about})
