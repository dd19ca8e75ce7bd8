"""Plots of a store: pure functions from frames to figures, and the files made of them. No jax, no pyplot."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from bench.report.plots.depth import gradient_over_depth
from bench.report.plots.gradient import hidden_gradients
from bench.report.plots.heat import colour_scale, gradient_heat_maps
from bench.report.plots.panels import panels
from bench.report.plots.progress import elbo_over_steps, validation_bands
from bench.report.plots.sheet import png, svg
from bench.report.plots.throughput import elbo_against_throughput
from bench.results.store import Manifest, Store, write_atomically
from bench.results.tables import curves, stored, summary

__all__ = [
    "colour_scale",
    "elbo_against_throughput",
    "elbo_over_steps",
    "figures",
    "gradient_heat_maps",
    "gradient_over_depth",
    "hidden_gradients",
    "panels",
    "plotted_curves",
    "svg",
    "theories",
    "validation_bands",
    "write_plots",
]

PLOTTED = ("negative_elbo", "hidden_gradient")


def plotted_curves(store: Store) -> pd.DataFrame:
    """The curves that are plotted, of all stored cells."""
    return curves(store, stored(store), PLOTTED)


def theories(manifests: Iterable[Manifest]) -> dict[str, dict[str, Any]]:
    """What theory expects of each stored arm of one workload."""
    return {manifest["arm"]: manifest["theory"] for manifest in manifests}


def figures(summary: pd.DataFrame, curves: pd.DataFrame, theories: Mapping[str, dict[str, Any]]) -> dict[str, Figure]:
    """Every plot of one workload by name, without those that have nothing to show.

    Args:
        summary: The workload's rows.
        curves: Its curves.
        theories: What theory expects, by arm.
    """
    gradients = hidden_gradients(curves, theories)
    drawn = {
        "elbo-over-steps": elbo_over_steps(summary, validation_bands(curves)),
        "gradient-heat-maps": gradient_heat_maps(gradients),
        "gradient-over-depth": gradient_over_depth(summary, gradients),
        "elbo-against-throughput": elbo_against_throughput(summary),
    }
    return {name: figure for name, figure in drawn.items() if figure is not None}


def write_plots(store: Store) -> list[Path]:
    """Write every plot as SVG and PNG into plots/ of the store; with several workloads, each under its name.

    Raises:
        InputError: If the store holds no plan.
    """
    table, readings, manifests = summary(store), plotted_curves(store), stored(store)
    folder = store.directory / "plots"
    folder.mkdir(exist_ok=True)
    paths = []
    workloads = list(dict.fromkeys(table["workload"]))
    for workload in workloads:
        rows, own = table.loc[table["workload"] == workload], readings.loc[readings["workload"] == workload]
        ending = "--" + re.sub(r"[^A-Za-z0-9_.=-]+", "_", workload) if len(workloads) > 1 else ""
        expected = theories(manifest for manifest in manifests if manifest["workload"] == workload)
        for name, figure in figures(rows, own, expected).items():
            for kind, data in ((".svg", svg(figure, name).encode()), (".png", png(figure))):
                paths.append(folder / f"{name}{ending}{kind}")
                write_atomically(paths[-1], data)
    return paths
