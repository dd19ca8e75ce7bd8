"""The harness: runs arms on workloads, and makes tables, plots and a page of what it measured."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.data.reading.medium import Images, Values
    from bench.plugins.remedy import NotApplicable, remedy
    from bench.plugins.workload import Workload, workload
    from bench.results.column import column
    from bench.results.judging.score import BELOW_PLATEAU, Z_IS_USED, Score
    from bench.results.plot import plot
    from bench.results.tables import load
    from vae_jax.training.instruments import instrument

__all__ = [
    "BELOW_PLATEAU", "Z_IS_USED", "Images", "NotApplicable", "Score", "Values", "Workload", "column", "instrument",
    "load", "plot", "remedy", "workload",
]  # fmt: skip

_HOME = {
    "BELOW_PLATEAU": "bench.results.judging.score",
    "Images": "bench.data.reading.medium",
    "NotApplicable": "bench.plugins.remedy",
    "Score": "bench.results.judging.score",
    "Values": "bench.data.reading.medium",
    "Workload": "bench.plugins.workload",
    "Z_IS_USED": "bench.results.judging.score",
    "column": "bench.results.column",
    "instrument": "vae_jax.training.instruments",
    "load": "bench.results.tables",
    "plot": "bench.results.plot",
    "remedy": "bench.plugins.remedy",
    "workload": "bench.plugins.workload",
}


def __getattr__(name: str) -> Any:
    # On demand: reading a store needs no jax, and `@remedy` needs no pandas.
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'bench' has no attribute {name!r}")
