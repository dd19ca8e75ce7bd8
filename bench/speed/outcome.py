"""The measurements as files: the table in full precision and for reading, the plot, and the machine."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from bench.report.plots.sheet import png, svg
from bench.results.stored.store import write_atomically
from bench.speed.plot import speed_plot
from bench.speed.timing import RATIO

COLUMNS = (
    "group", "question", "unit", "value", "low", "high", "goal_at_most", "goal_at_least", "rounds", "steps",
    "depth", "width", "lanes", "over_seconds", "under_seconds", "over_milliseconds_per_step",
    "under_milliseconds_per_step", "compile_seconds",
)  # fmt: skip
_COUNTS = ("rounds", "steps", "depth", "width", "lanes")


def completed(table: pd.DataFrame) -> pd.DataFrame:
    """All columns in their order; those that no row has are empty."""
    table = table.reindex(columns=list(COLUMNS))
    for side in ("over", "under"):
        table[f"{side}_milliseconds_per_step"] = 1e3 * table[f"{side}_seconds"] / table["steps"].astype(float)
    return table.astype(dict.fromkeys(_COUNTS, "Int64"))


def shown(table: pd.DataFrame) -> str:
    """Ratios and what has a unit of its own, each as a table in Markdown, rounded for reading."""
    table = completed(table)
    ratios, others = (table.loc[(table["unit"] == RATIO) == are] for are in (True, False))
    return "\n\n".join(
        text for rows, make in ((ratios, _ratios), (others, _costs)) if len(rows) for text in [make(rows)]
    )


def _ratios(table: pd.DataFrame) -> str:
    rows = []
    for row in table.to_dict("records"):
        quartiles = f" [{row['low']:.2f}, {row['high']:.2f}]" if row["rounds"] > 1 else ""
        per_step = pd.notna(row["steps"])
        times = [
            f"{row[f'{side}_milliseconds_per_step']:.3g} ms" if per_step else _seconds(row[f"{side}_seconds"])
            for side in ("over", "under")
        ]
        compiled = f"{row['compile_seconds']:.1f} s" if pd.notna(row["compile_seconds"]) else ""
        rows.append([row["question"], f"{row['value']:.2f}{quartiles}", _goal(row), *times, compiled])
    header = ["one over the other", "ratio [quartiles]", "goal", "the one", "the other", "the one to compile"]
    return _markdown(rows, header)


def _costs(table: pd.DataFrame) -> str:
    rows = []
    for row in table.to_dict("records"):
        say = _seconds if row["unit"] == "s" else lambda value, unit=row["unit"]: f"{value:,.0f} {unit}"
        quartiles = f" [{row['low']:.3g}, {row['high']:.3g}]" if row["rounds"] > 1 else ""
        rows.append([row["question"], f"{say(row['value'])}{quartiles}", _goal(row)])
    return _markdown(rows, ["cost", "median [quartiles]", "goal"])


def _goal(row: dict[str, Any]) -> str:
    most, least = row["goal_at_most"], row["goal_at_least"]
    return f"at most {most:g}" if pd.notna(most) else f"at least {least:g}" if pd.notna(least) else ""


def _seconds(value: float) -> str:
    return f"{value:,.0f} s" if value >= 100 else f"{value:.3g} s"


def _markdown(rows: list[list[str]], header: list[str]) -> str:
    align = ("left", *["right"] * (len(header) - 1))
    return pd.DataFrame(rows, columns=header).to_markdown(index=False, disable_numparse=True, colalign=align)


def write_outcome(table: pd.DataFrame, machine: dict[str, Any], folder: Path) -> None:
    """Write speed.csv, speed.md, speed.svg, speed.png and machine.json.

    Args:
        table: One row per question.
        machine: What it was measured on.
        folder: Where to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    full = completed(table)
    figure = speed_plot(full)
    files = {
        "speed.csv": full.to_csv(index=False).encode(),
        "speed.md": f"{shown(table)}\n".encode(),
        "machine.json": f"{json.dumps(machine, indent=2)}\n".encode(),
        "speed.svg": svg(figure, "speed").encode(),
        "speed.png": png(figure),
    }
    for name, data in files.items():
        write_atomically(folder / name, data)
