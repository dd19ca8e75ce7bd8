"""The page: one HTML file of all results, which asks no host for anything. No jax."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.report.conclusions import blame_sentence, conclusions, drawn_otherwise
from bench.report.drawing import Drawn
from bench.report.template import environment, inline
from bench.results.carry_over import LEFT_WORDS, TAU_WORDS, agreement_words, carry_over
from bench.results.column import Column
from bench.results.foretelling.foretell import foretell, foretelling_tables, foretelling_words
from bench.results.judging.statistics import CONFIDENCE
from bench.results.results import Results
from bench.results.stored.store import write_atomically
from bench.results.tables import apart, missing, mostly_left, readable, shown, table_rows

_APART = "Not ranked: controls, and arms below the plateau without a code"

PAGE_BYTES = 5_000_000
"""Most that a page takes, of however many arms: it is sent by mail and opened on a phone."""


def write_page(results: Results, drawn: Sequence[Drawn], complaints: Sequence[str]) -> Path:
    """Write report.html; returns its path.

    Args:
        results: What it shows.
        drawn: The plots.
        complaints: What could not be shown, a sentence each.
    """
    # A page is for reading: what is too much for it is in the files beside it, and the page says so.
    bare = len(_page(results, [], complaints).encode())
    page = _page(results, fitting(drawn, PAGE_BYTES - bare), complaints)
    path = results.directory / "report.html"
    write_atomically(path, page.encode())
    return path


def fitting(drawn: Sequence[Drawn], room: int) -> list[Drawn]:
    """The plots with as many of their figures, the first ones, as there is room for.

    Args:
        drawn: The plots.
        room: Bytes for all; small plots take what they need, and the others share what is left.
    """
    kept: dict[int, Drawn] = {}
    for left, each in zip(
        range(len(drawn), 0, -1), sorted(drawn, key=lambda each: sum(map(len, each.pieces))), strict=True
    ):
        share, pieces = room / left, []
        for piece in each.pieces:
            share -= len(piece.encode())
            if share < 0:
                break
            pieces.append(piece)
        room -= sum(len(piece.encode()) for piece in pieces)
        kept[id(each)] = replace(each, pieces=tuple(pieces), left_out=len(each.pieces) - len(pieces))
    return [kept[id(each)] for each in drawn]


def _page(results: Results, drawn: Sequence[Drawn], complaints: Sequence[str]) -> str:
    workloads = [{
        "name": name,
        "about": results.plan.workloads[name],
        "conclusions": conclusions(part),
        "drawn_otherwise": drawn_otherwise(part),
        "table": (table := _table(part, number)),
        "words": sorted({row["word"] for row in table["rows"] if row["word"]}),
        "families": sorted({row["family"] for row in table["rows"]}),
        "plots": [each for each in drawn if each.workload == name],
        "arms": _arms(table, part),
    } for number, (name, part) in enumerate(results.workloads.items())]  # fmt: skip
    return environment().get_template("page.html.j2").render(
        plan=results.plan, score=results.score, workloads=workloads, missing=missing(results.summary),
        cells=len(results.rows), machines=_machines(results), confidence=f"{CONFIDENCE:.0%}",
        blame_sentence=blame_sentence, inline=inline, complaints=complaints, carried=_carried(results),
        foretold=_foretold(results, [each for each in drawn if not each.workload]),
    )  # fmt: skip


def _table(results: Results, number: int) -> dict[str, Any]:
    """The summary as the page shows it: each cell's text and what it is sorted by."""
    text = readable(results)
    columns = [column for column in shown(results) if column.name != "workload"]
    left = mostly_left(results.summary).to_list()
    unranked = (apart(results.summary) & results.summary["gain"].notna()).to_list()
    rows = table_rows(results.summary)
    texts = {column.name: dict(text[column.name]) for column in columns}
    kinds = {column.name: _kind(column) for column in columns}
    arms = [
        {
            "id": f"arm-{number}-{index}",
            "left": left[index],
            "apart": unranked[index],
            "family": _family(rows[index].family),
            "word": rows[index].word or "",
            "row": results.rows[index],
            "gain": texts["gain"][index],
            "status": texts["status"][index],
            # Text, key and classes: unpacked, since a page of thousands of arms has a hundred thousand cells.
            "cells": [(texts[name][index], getattr(rows[index], name), kind) for name, kind in kinds.items()],
        }
        for index in text.index
    ]
    ranked, others = ([arm for arm in arms if arm["apart"] is which] for which in (False, True))
    return {
        "heads": [{"title": column.title, "kind": _kind(column)} for column in columns],
        "rows": arms,
        # Of each the head above it.
        "bodies": [{"head": "", "rows": ranked}, *([{"head": _APART, "rows": others}] if others else [])],
    }


def _carried(results: Results) -> dict[str, Any]:
    """Of several workloads: arm by workload, and how far one orders the arms as another does; empty of one."""
    if len(results.workloads) < 2:
        return {}
    table = carry_over(results)
    return {
        "heads": list(table),
        "rows": [(str(arm), list(row)) for arm, row in table.iterrows()],
        "words": LEFT_WORDS,
        "pairs": agreement_words(results),
        "tau_words": TAU_WORDS,
    }


def _foretold(results: Results, drawn: Sequence[Drawn]) -> dict[str, Any]:
    """What the start foretells: sentences, tables with their words, and plots."""
    found = results.once(foretell)
    return {
        "sentences": foretelling_words(found),
        "tables": [(words, list(table), table.to_numpy().tolist()) for words, table in foretelling_tables(found)],
        "plots": drawn,
    }


def _family(family: str | None) -> str:
    """What an arm is filtered by: the family of its one remedy."""
    return "composition" if family and "+" in family else family or "other"


def _kind(column: Column) -> str:
    """The classes of a column's cells."""
    return column.name.replace("_", "-") + " words" * column.words


def _arms(table: dict[str, Any], results: Results) -> list[dict[str, Any]]:
    """The stored arms, in the order of the table."""
    return [{**row, "record": row["row"].record} for row in table["rows"] if row["row"].stored]


def _machines(results: Results) -> list[str]:
    """Each machine, set of versions and commit that any cell was made on."""
    return list(dict.fromkeys(
        f"{record.device.name} ({record.device.kind}, {record.device.cores} cores); "
        + ", ".join(f"{name} {version}" for name, version in record.versions.items())
        + (f"; commit {record.commit}" if record.commit else "; no commit known")
        # A cell that failed before it ran met no device.
        for record in (row.record for row in results.stored) if record.device
    ))  # fmt: skip
