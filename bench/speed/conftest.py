"""The benchmarks run as a worker does, on one core or GPU, with its flags and cache; their ratios end in a table."""

from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import pandas as pd
import pytest
from jax.experimental.compilation_cache import compilation_cache

from bench.speed.machine import describe_machine, work_alone
from bench.speed.outcome import shown, write_outcome


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options to try the benchmarks with; what is published takes the defaults."""
    parser.addoption("--rounds", type=int, help="at most so many rounds of each comparison")
    parser.addoption("--suite-steps", type=int, help="steps of each training of the suite, instead of 1,500")
    parser.addoption("--device", choices=("cpu", "gpu"), default="cpu", help="what trains; on a GPU, ask for -k lanes")


def pytest_configure(config: pytest.Config) -> None:
    """Before any benchmark starts jax."""
    work_alone(str(config.getoption("device")))


@pytest.fixture
def at_most(pytestconfig: pytest.Config) -> Callable[[int], int]:
    """How many rounds to take of those that are wanted."""
    limit = pytestconfig.getoption("rounds")
    return lambda wanted: wanted if limit is None else min(limit, wanted)


@pytest.fixture
def uncached() -> Iterator[None]:
    """Compile as if for the first time."""
    folder = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    jax.config.update("jax_enable_compilation_cache", False)
    compilation_cache.reset_cache()
    yield
    jax.config.update("jax_enable_compilation_cache", True)
    jax.config.update("jax_compilation_cache_dir", folder)
    compilation_cache.reset_cache()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print each ratio beside its goal, and write table and plot."""
    benchmarks = config._benchmarksession.benchmarks  # pyright: ignore[reportAttributeAccessIssue]
    rows = [row for each in benchmarks for row in each.extra_info.get("rows", [])]
    if not rows:
        return
    here = Path(__file__).parent
    whole = [Path(argument).resolve() for argument in config.args] == [here]
    whole &= not any(terminalreporter.stats.get(status) for status in ("deselected", "failed", "error", "skipped"))
    whole &= config.getoption("rounds") is None and config.getoption("suite_steps") is None
    # What was measured in part never replaces what was measured in full.
    folder = Path("results", "runs", "speed" if whole else "speed-in-part")
    table = pd.DataFrame(rows)
    write_outcome(table, describe_machine(), folder)
    terminalreporter.section("ratios within one run: median and quartiles of interleaved rounds")
    terminalreporter.write_line(shown(table))
    terminalreporter.write_line(f"\n{folder} holds the table, the plot and the machine")
