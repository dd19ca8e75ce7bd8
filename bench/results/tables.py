"""Tables of a store: one row per cell of the plan, and all curves in one tidy frame. No jax."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.language.errors import unknown
from bench.results.readable import WORDS, fixed, readable
from bench.results.statistics import Interval, student_t
from bench.results.store import Manifest, Store, write_atomically

PLATEAU_MARGIN_NATS = 0.2
"""How far below the plateau an arm's whole interval must lie to count as having left it.

The output bias is trained, so a dead arm lands a few hundredths of a nat to either side of the plateau, not on it.
"""

NO_CODE_NATS = 0.01
"""A mean KL divergence below this carries nothing to speak of: a twentieth of the margin to the plateau."""

SUMMARY_TYPES = {
    "workload": "str", "arm": "str", "family": "str", "status": "str", "seeds": "Int64",
    "learning_rate": "float64", "negative_elbo": "float64", "negative_elbo_low": "float64",
    "negative_elbo_high": "float64", "plateau": "float64", "plateau_validation": "float64",
    "reconstruction": "float64", "kl_nats": "float64",
    "importance_weighted": "float64", "active_units": "float64", "mutual_information": "float64",
    "verdict": "str", "verdict_seeds": "Int64", "blame": "str", "blame_factor": "float64",
    "gradient_ratio_init": "float64", "gradient_ratio_end": "float64",
    "gradient_per_layer_init": "float64", "gradient_per_layer_predicted": "float64",
    "mean_cosine_init": "float64", "mean_cosine_end": "float64", "parameters": "Int64",
    "gradient_evaluations": "Int64", "seeds_diverged": "Int64", "rate_at_edge": "boolean",
    "examples_per_second": "float64", "slowdown": "float64", "slowdown_low": "float64", "slowdown_high": "float64",
    "compile_seconds": "float64", "flops_per_step": "float64", "memory_bytes": "Int64", "reason": "str",
}  # fmt: skip
"""The columns of summary.csv and their types; `results/README.md` says what they mean."""

_AVERAGED = ("importance_weighted", "active_units", "mutual_information", "mean_cosine_init", "mean_cosine_end")
_RATIOS = ("gradient_ratio_init", "gradient_ratio_end", "gradient_per_layer_init")
_TIMED = ("examples_per_second", "slowdown", "slowdown_low", "slowdown_high", "flops_per_step")

CURVE_TYPES = {
    **dict.fromkeys(("workload", "arm", "phase", "split", "instrument", "tower"), "str"),
    **dict.fromkeys(("seed", "step", "layer"), "int64"),
    **dict.fromkeys(("learning_rate", "value"), "float64"),
}


def summary(store: Store) -> pd.DataFrame:
    """One row per cell of the plan, in the plan's order, with the columns of `SUMMARY_TYPES`.

    A cell that is not stored has status `missing`; one that diverged on any seed has no mean and no interval.

    Raises:
        InputError: If the store holds no plan.
    """
    plan = store.read_plan()
    rows = [_row(cell, plan, store) for cell in plan["cells"]]
    return pd.DataFrame(rows, columns=list(SUMMARY_TYPES)).astype(SUMMARY_TYPES)


def missing(table: pd.DataFrame) -> list[str]:
    """The arms of a summary that were planned and are not stored."""
    return list(table.loc[table["status"] == "missing", "arm"])


def left_plateau(table: pd.DataFrame) -> pd.Series:
    """Whether each row's whole interval lies below the plateau by more than `PLATEAU_MARGIN_NATS`."""
    below = table["negative_elbo_high"].to_numpy() < table["plateau"].to_numpy() - PLATEAU_MARGIN_NATS
    return pd.Series(below, index=table.index)


def past_the_code(table: pd.DataFrame) -> pd.Series:
    """Whether each row lies below the plateau with next to no KL: what its decoder knows of x came past z."""
    # By the mean: one seed has no interval, and tells all the same.
    mean, plateau, kl = (table[name].to_numpy(float) for name in ("negative_elbo", "plateau", "kl_nats"))
    return pd.Series((mean < plateau - PLATEAU_MARGIN_NATS) & (kl < NO_CODE_NATS), index=table.index)


def curves(store: Store, cells: Iterable[Manifest], instruments: Iterable[str] | None = None) -> pd.DataFrame:
    """The tidy curves of stored cells, or the named instruments' part, with the types of `CURVE_TYPES`."""
    return store.read_curves(cells, instruments).astype(CURVE_TYPES)


def stored(store: Store) -> list[Manifest]:
    """The manifests of the plan's cells that are stored, in the plan's order and under its names."""
    cells = store.read_plan()["cells"]
    read = ((cell, store.read(cell["identity"])) for cell in cells if cell["status"] == "planned")
    return [
        manifest | {name: cell[name] for name in ("workload", "arm", "family")}
        for cell, manifest in read
        if manifest is not None
    ]


def load(
    directory: Path | str, arms: Iterable[str] | None = None, instruments: Iterable[str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The summary and the tidy curves of a run.

    Args:
        directory: What `run` wrote, as results/runs/quick.
        arms: Only these arms; None for all.
        instruments: Only these instruments' curves; None for all.

    Returns:
        One row per cell, and one row per reading.

    Raises:
        InputError: If there is no run, or an arm or instrument is not in it.
    """
    store = Store(directory)
    table = summary(store)
    if arms is not None:
        arms = _known("arm", arms, table["arm"])
        table = table.loc[table["arm"].isin(arms)].reset_index(drop=True)
    cells = [cell for cell in stored(store) if arms is None or cell["arm"] in arms]
    if instruments is None:
        return table, curves(store, cells)
    instruments = [instruments] if isinstance(instruments, str) else list(instruments)
    frame = curves(store, cells, instruments)
    if not set(instruments) <= set(frame["instrument"]):
        _known("instrument", instruments, curves(store, cells)["instrument"].unique())
    return table, frame


def write_tables(store: Store) -> list[Path]:
    """Write summary.csv, summary.md and curves.parquet of whatever is stored; returns their paths.

    Raises:
        InputError: If the store holds no plan.
    """
    table = summary(store)
    paths = [store.directory / name for name in ("summary.csv", "summary.md", "curves.parquet")]
    write_atomically(paths[0], table.to_csv(index=False).encode())
    write_atomically(paths[1], _markdown(table, store.read_plan()).encode())
    write_atomically(paths[2], curves(store, stored(store)).to_parquet(index=False))
    return paths


def _row(cell: dict[str, Any], plan: dict[str, Any], store: Store) -> dict[str, Any]:
    row = {name: cell[name] for name in ("workload", "arm", "family", "reason")}
    workload = plan["workloads"][cell["workload"]]
    row |= {name: workload[name] for name in ("plateau", "plateau_validation")} | {"status": cell["status"]}
    if cell["status"] == "not applicable":
        return row
    manifest = store.read(cell["identity"])
    if manifest is None:
        return row | {"status": "missing", "reason": ""}
    trainings = manifest["trainings"]
    elbo, reconstruction, kl = (_tested(trainings, name) for name in ("negative_elbo", "reconstruction", "kl_nats"))
    timing = store.read_timing(cell["identity"]) or {}
    same = ("status", "reason", "learning_rate", "parameters", "gradient_evaluations", "rate_at_edge",
            "compile_seconds", "memory_bytes", "verdict", "verdict_seeds")  # fmt: skip
    return row | {name: manifest.get(name) for name in same} | {
        "seeds": len(trainings),
        "seeds_diverged": sum(training["diverged_at"] is not None for training in trainings),
        "negative_elbo": elbo.mean,
        "negative_elbo_low": elbo.low,
        "negative_elbo_high": elbo.high,
        "reconstruction": reconstruction.mean,
        "kl_nats": kl.mean,
        **{name: _tested(trainings, name).mean for name in _AVERAGED},
        **{name: _geometric_mean(_values(trainings, name)) for name in _RATIOS},
        "gradient_per_layer_predicted": _predicted(manifest),
        "blame": manifest["blame"].get("block") or manifest["blame"].get("kind", ""),
        "blame_factor": manifest["blame"].get("factor"),
        **{name: timing.get(name) for name in _TIMED},
    }  # fmt: skip


def _values(trainings: Sequence[dict[str, Any]], name: str) -> list[float]:
    return [math.nan if training[name] is None else training[name] for training in trainings]


def _tested(trainings: Sequence[dict[str, Any]], name: str) -> Interval:
    """A figure's interval over seeds; a training that diverged has no figure, whatever it reached on test."""
    values = _values(trainings, name)
    return student_t([
        value if training["diverged_at"] is None else math.nan
        for value, training in zip(values, trainings, strict=True)
    ])  # fmt: skip


def _predicted(manifest: Manifest) -> float:
    """What theory says a block does to the gradient's norm at the start, from the first block to the last."""
    ratios = manifest["theory"].get("encoder", {}).get("gradient_ratio", [])[1:]
    return _geometric_mean(ratios)


def _geometric_mean(ratios: Sequence[float]) -> float:
    # A ratio of exactly 0 is a gradient that has underflowed: the mean is then 0, not an error.
    with np.errstate(divide="ignore"):
        return float(np.exp(np.mean(np.log(ratios)))) if ratios else math.nan


def _known(kind: str, names: Iterable[str], valid: Iterable[str]) -> list[str]:
    names, valid = [names] if isinstance(names, str) else list(names), set(valid)
    for name in names:
        if name not in valid:
            raise unknown(kind, name, valid)
    return names


def _markdown(table: pd.DataFrame, plan: dict[str, Any]) -> str:
    shown = readable(table)
    words = [shown.columns.get_loc(name) for name in WORDS if name in shown]
    align = tuple("left" if place in words else "right" for place in range(shown.shape[1]))
    plateaus = [f"Plateau of {name}: {fixed(entry['plateau'])} nats." for name, entry in plan["workloads"].items()]
    absent = missing(table)
    lines = [f"# Suite {plan['suite']}", "", f"`{plan['command']}`", "", *plateaus]
    lines += [f"{len(absent)} of {len(table)} cells are missing: {', '.join(absent)}."] if absent else []
    # Text cells stay text: tabulate would otherwise write 3.3e-05 as a number of its own format.
    return "\n".join([*lines, "", shown.to_markdown(index=False, disable_numparse=True, colalign=align), ""])
