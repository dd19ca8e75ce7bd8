"""Tables of results: the summary for reading, and the files that hold it. No jax."""

import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow
import pyarrow.parquet

from bench.language.errors import unknown
from bench.language.figures import figure
from bench.results.carry_over import LEFT_WORDS, TAU_WORDS, agreement_words, carry_over
from bench.results.column import ALWAYS, Column
from bench.results.columns import COLUMNS
from bench.results.foretelling.foretell import foretell, foretelling_tables, foretelling_words
from bench.results.foretelling.networks import networks_table
from bench.results.published import ABOUT, TRAININGS, about, trainings
from bench.results.results import Results
from bench.results.stored.store import Store, write_atomically


def missing(table: pd.DataFrame) -> list[str]:
    """The arms of a summary that were planned and are not stored."""
    return list(table.loc[table["status"] == "missing", "arm"])


def holds(table: pd.DataFrame, name: str) -> pd.Series:
    """Whether a column of true, false and empty is true, in each row of a summary."""
    return pd.Series(table[name].to_numpy(dtype=bool, na_value=False), index=table.index)


def apart(table: pd.DataFrame) -> pd.Series:
    """Whether an arm is not ranked, in each row of a summary: a control, or below the plateau without a code."""
    return holds(table, "control") | holds(table, "past_z")


def mostly_left(table: pd.DataFrame) -> pd.Series:
    """Whether more than half of an arm's fresh seeds left the plateau, in each row of a summary."""
    left, seeds = (table[name].to_numpy(dtype=float, na_value=0.0) for name in ("left", "seeds"))
    return pd.Series(2 * left > seeds, index=table.index)


def plateaus(table: pd.DataFrame) -> str:
    """Where the arms of a summary sit that learn nothing; empty where no cell says it."""
    return " and ".join(dict.fromkeys(figure(value) for value in table["plateau"].dropna()))


def table_rows(table: pd.DataFrame) -> list[Any]:
    """A summary's rows as named tuples, with None in place of NaN and of pandas' NA, whose truth is an error."""
    return list(table.astype(object).where(table.notna(), None).itertuples())


def shown(results: Results) -> list[Column]:
    """The columns of the summary for reading, under the score's own name: the workload only where there are several,
    and what no row has, as a KL where there is no z, not at all.
    """
    table = results.summary
    several = len(set(table["workload"])) > 1
    told = {name for name in table if any(value not in (None, "") for value in table[name].dropna())}
    return [
        replace(column, title=results.score.said(column.title))
        for column in results.columns
        if column.title
        and (column.terminal == ALWAYS or column.name in told)
        and (several or column.name != "workload")
    ]


def readable(results: Results) -> pd.DataFrame:
    """The summary as text, a column for each of `shown` by its name, each row under the summary's own index: the
    largest gain first, then what is not ranked, then what has no figure.
    """
    table = results.summary.assign(apart=apart(results.summary), none=results.summary["gain"].isna())
    order = table.sort_values(["workload", "none", "apart", "gain"], ascending=[True, True, True, False], kind="stable")
    rows = table_rows(order)
    text = {column.name: [column.text(row) for row in rows] for column in shown(results)}
    return pd.DataFrame(text, index=order.index, dtype="str")


def load(
    directory: Path | str,
    arms: Iterable[str] | None = None,
    instruments: Iterable[str] | None = None,
    columns: Sequence[Column] = (),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The summary and the tidy curves of a run.

    Args:
        directory: What `run` wrote, as results/runs/quick.
        arms: Only these arms; None for all.
        instruments: Only these instruments' curves; None for all.
        columns: Columns of your own, as `@column` makes them, beside the summary's.

    Returns:
        One row per cell, and one row per reading.

    Raises:
        InputError: If there is no run, or an arm or instrument is not in it.
    """
    results = Results.read(Store(directory), (*COLUMNS, *columns))
    if arms is not None:
        results = results.only(_known("arm", arms, (cell.arm for cell in results.plan.cells)))
    if instruments is None:
        return results.summary, results.curves()
    instruments = [instruments] if isinstance(instruments, str) else list(instruments)
    frame = results.curves(instruments)
    if not set(instruments) <= set(frame["instrument"]):
        _known("instrument", instruments, results.curves()["instrument"].unique())
    return results.summary, frame


def write_tables(results: Results) -> list[Path]:
    """Write summary.csv, summary.md, trainings.parquet, networks.parquet, about.json and curves.parquet; returns
    their paths.
    """
    contents = {
        "summary.csv": results.summary.to_csv(index=False).encode(),
        "summary.md": _markdown(results).encode(),
        TRAININGS: trainings(results).to_parquet(index=False),
        "networks.parquet": _networks(results).to_parquet(index=False),
        ABOUT: (json.dumps(about(results), indent=1) + "\n").encode(),
        "curves.parquet": _curves(results),
    }
    paths = [results.directory / name for name in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        write_atomically(path, content)
    return paths


def _curves(results: Results) -> bytes:
    """All curves as one parquet file, written a cell at a time: those of a thousand trainings are gigabytes at once."""
    file = io.BytesIO()
    schema = pyarrow.Schema.from_pandas(results.only([]).curves(), preserve_index=False)
    with pyarrow.parquet.ParquetWriter(file, schema) as writer:
        for row in results.stored:
            writer.write_table(pyarrow.Table.from_pandas(row.curves(), schema, preserve_index=False))
    return file.getvalue()


def columns_markdown(columns: Iterable[Column]) -> str:
    """The meaning of each column, as a table of `results/README.md`."""
    rows = [f"| `{column.name}` | {column.unit} | {column.says} |" for column in columns]
    return "\n".join(["| column | unit | what it means |", "|---|---|---|", *rows])


def _known(kind: str, names: Iterable[str], valid: Iterable[str]) -> list[str]:
    names, valid = [names] if isinstance(names, str) else list(names), set(valid)
    for name in names:
        if name not in valid:
            raise unknown(kind, name, valid)
    return names


def _markdown(results: Results) -> str:
    columns = shown(results)
    text = readable(results).set_axis([column.title for column in columns], axis="columns")
    align = tuple("left" if column.words else "right" for column in columns)
    said = [
        f"Plateau of {name}: {plateaus(part.summary)} {part.score.unit}." for name, part in results.workloads.items()
    ]
    absent = missing(results.summary)
    lines = [f"# Suite {results.plan.suite}", "", f"`{results.plan.command}`", "", *said]
    lines += [f"{len(absent)} of {len(results.rows)} cells are missing: {', '.join(absent)}."] if absent else []
    # Text cells stay text: tabulate would otherwise write 3.3e-05 as a number of its own format.
    lines += ["", text.to_markdown(index=False, disable_numparse=True, colalign=align), ""]
    return "\n".join([*lines, *_carried(results), *_foretold(results)])


def _carried(results: Results) -> list[str]:
    """Of several workloads: arm by workload, and how far one orders the arms as another does."""
    if len(results.workloads) < 2:
        return []
    table = carry_over(results).rename_axis("arm").reset_index()
    taus = [f"- {each}" for each in agreement_words(results)]
    return [
        "## Does it carry over?", "", LEFT_WORDS, "", table.to_markdown(index=False, disable_numparse=True), "",
        *([TAU_WORDS, "", *taus, ""] if taus else []),
    ]  # fmt: skip


def _foretold(results: Results) -> list[str]:
    """What the start foretells of the end."""
    found = results.once(foretell)
    lines = ["## What the start foretells", "", *foretelling_words(found), ""]
    for words, table in foretelling_tables(found):
        lines += [words, "", table.to_markdown(index=False, disable_numparse=True), ""]
    return lines


def _networks(results: Results) -> pd.DataFrame:
    return networks_table(results.once(foretell).networks, results.plan.verdict_limits)
