"""The harness: runs arms on workloads, and makes tables, plots and a page of what it measured."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.plugins.plugin import remedy, workload
    from bench.results.column import column
    from bench.results.plot import plot
    from bench.results.tables import load

__all__ = ["column", "load", "plot", "remedy", "workload"]

_HOME = {
    "column": "bench.results.column",
    "load": "bench.results.tables",
    "plot": "bench.results.plot",
    "remedy": "bench.plugins.plugin",
    "workload": "bench.plugins.plugin",
}


def __getattr__(name: str) -> Any:
    # On demand: reading a store needs no jax, and `@remedy` needs no pandas.
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'bench' has no attribute {name!r}")
