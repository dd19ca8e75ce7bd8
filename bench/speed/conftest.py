"""The benchmarks run as a worker does: on one core, with its flags and its cache; their ratios end in a table."""

import os
from pathlib import Path

import pandas as pd
import pytest

from bench.executor import default_cache
from bench.worker import configure_process

_CORE = min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
configure_process("cpu", _CORE, str(default_cache()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print each ratio beside its goal, and write the table to results/runs/speed/."""
    benchmarks = config._benchmarksession.benchmarks  # pyright: ignore[reportAttributeAccessIssue]
    rows = [
        {
            "question": each.extra_info["question"],
            "ratio": each.extra_info["ratio"]["median"],
            "low": each.extra_info["ratio"]["low"],
            "high": each.extra_info["ratio"]["high"],
            "goal": each.extra_info["goal"],
            "milliseconds_per_step": 1e3 * each.stats.median / each.extra_info["steps"],
        }
        for each in benchmarks
        if "ratio" in each.extra_info
    ]
    if not rows:
        return
    table = pd.DataFrame(rows)
    folder = Path("results", "runs", "speed")
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "speed.csv", index=False)
    terminalreporter.section("ratios within one run: median and quartiles of interleaved rounds")
    shown = table.to_markdown(index=False, floatfmt=("", ".2f", ".2f", ".2f", "g", ".3f"), missingval="")
    terminalreporter.write_line(shown)
