"""The page: one HTML file of everything in a store, which asks no host for anything. No jax."""

from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from bench.report import plots
from bench.report.finding import finding
from bench.report.template import environment, inline
from bench.results.readable import READABLE, Column, blame_sentence, readable, records
from bench.results.statistics import CONFIDENCE
from bench.results.store import Manifest, Store, write_atomically
from bench.results.tables import PLATEAU_MARGIN_NATS, left_plateau, missing, stored, summary


def write_report(store: Store) -> Path:
    """Write report.html of whatever is stored; returns its path.

    Raises:
        InputError: If the store holds no plan.
    """
    plan, table, manifests = store.read_plan(), summary(store), stored(store)
    curves = plots.plotted_curves(store)
    workloads = []
    for number, name in enumerate(dict.fromkeys(table["workload"])):
        rows = table.loc[table["workload"] == name]
        own = [manifest for manifest in manifests if manifest["workload"] == name]
        shown = _table(rows, number)
        workloads.append({
            "name": name,
            "about": plan["workloads"].get(name, {}),
            "finding": finding(rows),
            "table": shown,
            "figures": _figures(rows, curves.loc[curves["workload"] == name], plots.theories(own), f"w{number}"),
            "arms": _arms(shown, own),
        })  # fmt: skip
    page = environment().get_template("page.html.j2").render(
        plan=plan, workloads=workloads, missing=missing(table), cells=len(table), machines=_machines(manifests),
        confidence=f"{CONFIDENCE:.0%}", margin=PLATEAU_MARGIN_NATS,
        blame_sentence=blame_sentence,
    )  # fmt: skip
    path = store.directory / "report.html"
    write_atomically(path, page.encode())
    return path


def _table(rows: pd.DataFrame, number: int) -> dict[str, Any]:
    """The summary as the page shows it: each cell's text and what it is sorted by."""
    text = readable(rows)
    columns = [column for column in READABLE if column.title in text and column.title != "workload"]
    left = left_plateau(rows).to_dict()
    by_index = {row.Index: row for row in records(rows)}
    return {
        "heads": [{"title": column.title, "kind": _kind(column)} for column in columns],
        "rows": [{
            "id": f"arm-{number}-{index}",
            "left": left[index],
            "stored": by_index[index].status not in ("missing", "not applicable"),
            "arm": by_index[index].arm,
            "cells": [{
                "text": text.at[index, column.title],
                "key": getattr(by_index[index], column.sorted_by),
                "kind": _kind(column),
            } for column in columns],
        } for index in text.index],
    }  # fmt: skip


def _kind(column: Column) -> str:
    """The classes of a column's cells."""
    return column.sorted_by.replace("_", "-") + " words" * column.words


def _figures(
    rows: pd.DataFrame, curves: pd.DataFrame, theories: dict[str, dict[str, Any]], prefix: str
) -> dict[str, list[Markup]]:
    """Every plot, in pieces that each fit a narrow page; a plot with nothing to show has no pieces."""
    bands, gradients = plots.validation_bands(curves), plots.hidden_gradients(curves, theories)
    panels = [{title: arms} for title, arms in plots.panels(rows).items()]
    drawn = {
        "progress": [plots.elbo_over_steps(rows, bands, panel, 1) for panel in panels],
        "throughput": [plots.elbo_against_throughput(rows)],
        "scale": [plots.colour_scale(gradients)],
        "heat": [plots.gradient_heat_maps(gradients, [arm], 1) for arm in gradients],
        "depth": [plots.gradient_over_depth(rows, gradients, panel, 1) for panel in panels],
    }
    return {
        kind: [inline(figure, f"{prefix}-{kind}-{place}") for place, figure in enumerate(pieces) if figure is not None]
        for kind, pieces in drawn.items()
    }


def _arms(table: dict[str, Any], manifests: list[Manifest]) -> list[dict[str, Any]]:
    """What the page tells of each stored arm, in the order of the table."""
    by_arm = {manifest["arm"]: manifest for manifest in manifests}
    return [{
        "traceback": "", **by_arm[row["arm"]], "id": row["id"],
        **{name: cell["text"] for name in ("status", "negative-elbo") for cell in row["cells"] if name in cell["kind"]},
    } for row in table["rows"] if row["stored"]]  # fmt: skip


def _machines(manifests: list[Manifest]) -> list[str]:
    """Each machine, set of versions and commit that any cell was made on."""
    return list(dict.fromkeys(
        f"{manifest['device']['name']} ({manifest['device']['kind']}, {manifest['device']['cores']} cores); "
        + ", ".join(f"{name} {version}" for name, version in manifest["versions"].items())
        + (f"; commit {manifest['commit']}" if manifest["commit"] else "; no commit known")
        # A cell that failed before it ran met no device.
        for manifest in manifests if manifest["device"]
    ))  # fmt: skip
