"""A summary as text, for the terminal, summary.md and the page alike. No jax."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from bench.results.statistics import CONFIDENCE, Interval


class Column(NamedTuple):
    """A column for reading: its title, the summary's column it is sorted by, how a row's text is made, and whether
    that is words, which are written to the left, or a figure.
    """

    title: str
    sorted_by: str
    text: Callable[[Any], str]
    words: bool = False


def significant(value: float | None) -> str:
    """A figure of any magnitude, to two digits: 0.24, 2.0, 3.3e-05; empty where there is none.

    >>> significant(0.0000331), significant(2), significant(0), significant(None)
    ('3.3e-05', '2.0', '0', '')
    """
    if value is None or math.isnan(value):
        return ""
    if value == 0:
        return "0"
    return f"{value:.1e}" if abs(value) < 1e-3 or abs(value) >= 1e3 else f"{value:#.2g}".rstrip(".")


def thousands(value: float | None, unit: str = "") -> str:
    """A count to three digits, with its unit: 950, 12.3k/s, 1.2M; empty where there is none.

    >>> thousands(12345, "/s"), thousands(950), thousands(186000), thousands(1200000)
    ('12.3k/s', '950', '186k', '1.2M')
    """
    if value is None or math.isnan(value):
        return ""
    scale, letter = (
        (1e9, "G")
        if value >= 999_500_000
        else (1e6, "M")
        if value >= 999_500
        else (1e3, "k")
        if value >= 999.5
        else (1, "")
    )
    scaled = value / scale
    return f"{scaled:.0f}{letter}{unit}" if scaled >= 100 or scale == 1 else f"{scaled:.3g}{letter}{unit}"


def fixed(value: float | None, decimals: int = 2, unit: str = "") -> str:
    """A figure with fixed decimals and its unit; empty where there is none."""
    # Plus zero: rounding leaves the sign of -0.001 on its zero.
    return "" if value is None or math.isnan(value) else f"{round(value, decimals) + 0.0:.{decimals}f}{unit}"


def rates_words(rates: Mapping[str, Sequence[float]]) -> str:
    """The rates that a remedy is tuned over, given those on each base: its own where they are the same on all.

    >>> rates_words({"baseline": [1e-4, 1e-3, 1e-2], "trainable": [1e-4, 1e-3, 1e-2]})
    '0.0001 to 0.01'
    >>> rates_words({"baseline": [1e-2, 1e-1], "trainable": [1e-4, 1e-3]}), rates_words({})
    ("the base's", "the base's")
    """
    own = next(iter(rates.values()), None)
    return f"{own[0]:g} to {own[-1]:g}" if own and all(each == own for each in rates.values()) else "the base's"


def interval_text(interval: Interval) -> str:
    """A mean with its interval, as 23.41 [23.22, 23.60]; the mean alone with one seed, empty without a mean.

    >>> interval_text(Interval(23.41, 23.22, 23.6))
    '23.41 [23.22, 23.60]'
    """
    bounds = "" if math.isnan(interval.low) else f" [{fixed(interval.low)}, {fixed(interval.high)}]"
    return fixed(interval.mean) + bounds


def row_interval(row: Any) -> Interval:
    """The interval of a summary's row."""
    values = (row.negative_elbo, row.negative_elbo_low, row.negative_elbo_high)
    return Interval(*(math.nan if value is None else value for value in values))


def _status(row: Any) -> str:
    return f"{row.status} ({row.seeds_diverged} of {row.seeds} seeds)" if row.seeds_diverged else row.status


def _slowdown(row: Any) -> str:
    if row.slowdown is None or row.slowdown_low is None:
        return fixed(row.slowdown, 2, "x")
    return f"{fixed(row.slowdown, 2, 'x')} [{fixed(row.slowdown_low)}, {fixed(row.slowdown_high)}]"


def _verdict(row: Any) -> str:
    return f"{row.verdict} {row.verdict_seeds}/{row.seeds}" if row.verdict else ""


def _per_layer(row: Any) -> str:
    """Measured, and in brackets what theory predicts."""
    predicted = significant(row.gradient_per_layer_predicted)
    return significant(row.gradient_per_layer_init) + (f" ({predicted})" if predicted else "")


def _blame(row: Any) -> str:
    # A factor that no number holds: nothing comes back otherwise.
    return f"{row.blame} {significant(row.blame_factor) or 'inf'}{'x' * (row.blame_factor is not None)}" * bool(
        row.blame
    )


def blame_sentence(blame: dict[str, Any]) -> str:
    """Which block, or kind of step, keeps the gradient from the first layer; a manifest's `blame`, not empty."""
    if blame["kind"].endswith("over time"):
        return (
            f"To blame: {blame['block']}, over time: the gradient at its state after the first step and after the last "
            f"differ by a factor of {significant(blame['factor']) or 'inf'}."
        )
    which = f"{blame['block']} ({blame['kind']})" if blame["block"] else f"every {blame['kind']}"
    much = (
        "a gradient comes back at the first layer, where none does otherwise"
        if blame["factor"] is None
        else f"{significant(blame['factor'])} times as much of the gradient comes back at the first layer"
    )
    return f"To blame: {which}; with its Jacobian replaced by the identity, {much}."


READABLE = (
    Column("workload", "workload", lambda row: row.workload, words=True),
    Column("arm", "arm", lambda row: row.arm, words=True),
    Column("status", "status", _status, words=True),
    Column(f"-ELBO, nats [{CONFIDENCE:.0%}]", "negative_elbo", lambda row: interval_text(row_interval(row))),
    Column("reconstruction, nats", "reconstruction", lambda row: fixed(row.reconstruction)),
    Column("KL, nats", "kl_nats", lambda row: fixed(row.kl_nats)),
    Column("active units", "active_units", lambda row: fixed(row.active_units, 1)),
    Column("verdict", "verdict", _verdict, words=True),
    Column("to blame", "blame", _blame, words=True),
    Column("importance-weighted, nats", "importance_weighted", lambda row: fixed(row.importance_weighted)),
    Column("mutual information, nats", "mutual_information", lambda row: fixed(row.mutual_information)),
    Column("gradient ratio, init", "gradient_ratio_init", lambda row: significant(row.gradient_ratio_init)),
    Column("gradient ratio, end", "gradient_ratio_end", lambda row: significant(row.gradient_ratio_end)),
    Column("gradient per layer, init", "gradient_per_layer_init", _per_layer),
    Column("c, init", "mean_cosine_init", lambda row: fixed(row.mean_cosine_init)),
    Column("c, end", "mean_cosine_end", lambda row: fixed(row.mean_cosine_end)),
    Column("learning rate", "learning_rate",
           lambda row: significant(row.learning_rate) + (" (edge)" if row.rate_at_edge and row.learning_rate else "")),
    Column("examples/s", "examples_per_second", lambda row: thousands(row.examples_per_second, "/s")),
    Column(f"slowdown [{CONFIDENCE:.0%}]", "slowdown", _slowdown),
    Column("compile", "compile_seconds", lambda row: fixed(row.compile_seconds, 1, " s")),
    Column("FLOPs/step", "flops_per_step", lambda row: thousands(row.flops_per_step)),
    Column("memory", "memory_bytes", lambda row: thousands(row.memory_bytes, "B")),
    Column("parameters", "parameters", lambda row: thousands(row.parameters)),
    Column("gradient evaluations", "gradient_evaluations", lambda row: thousands(row.gradient_evaluations)),
    Column("seeds", "seeds", lambda row: thousands(row.seeds)),
    Column("family", "family", lambda row: row.family, words=True),
    Column("reason", "reason", lambda row: row.reason, words=True),
)  # fmt: skip
"""How a summary is shown, column by column."""

WORDS = {column.title for column in READABLE if column.words}
"""The titles of columns that are words."""


def records(table: pd.DataFrame) -> list[Any]:
    """A summary's rows as named tuples, with None in place of NaN and of pandas' NA, whose truth is an error."""
    return list(table.astype(object).where(table.notna(), None).itertuples())


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """A summary as text: sorted by -ELBO, rows without a number last, each under the summary's own index.

    The workload is shown only where there are several, the reason only where a row has one.
    """
    order = table.sort_values(["workload", "negative_elbo"], na_position="last", kind="stable")
    rows = records(order)
    unneeded = {"workload"} if len(set(table["workload"])) < 2 else set()
    unneeded |= set() if any(row.reason for row in rows) else {"reason"}
    shown = {column.title: [column.text(row) for row in rows] for column in READABLE if column.title not in unneeded}
    return pd.DataFrame(shown, index=order.index, dtype="str")
