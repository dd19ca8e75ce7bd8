"""What the command line shows, as text and tables: the words of a forecast, a finished cell, a summary, one arm."""

import json
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.report.diagnosis_words import diagnosis_table, diagnosis_words
from bench.results.readable import WORDS, blame_sentence, fixed, interval_text, rates_words, readable, significant
from bench.results.statistics import CONFIDENCE, student_t

if TYPE_CHECKING:
    # What is run imports jax; what is read does not.
    from bench.examination.check_result import CheckResult
    from bench.examination.own_model import Case
    from bench.execution.executor import Executor
    from bench.execution.run import Work

# What may take more than one line, and characters of it that stand in one at least.
_FOLDED = ("arm", "reason")
_WORDS_AT_LEAST = 24

# What a narrow terminal leaves out, first the first.
_WHERE_THERE_IS_ROOM = (
    "active units",
    "examples/s",
    "gradient ratio, init",
    "KL, nats",
    "learning rate",
    "verdict",
    f"slowdown [{CONFIDENCE:.0%}]",
    "reason",
)

# What a terminal has no room for; summary.md and the page show it.
_NOT_IN_TERMINAL = [
    "family",
    "reconstruction, nats",
    "gradient ratio, end",
    "to blame",
    "importance-weighted, nats",
    "mutual information, nats",
    "gradient per layer, init",
    "c, init",
    "c, end",
    "compile",
    "FLOPs/step",
    "memory",
    "parameters",
    "gradient evaluations",
    "seeds",
]


# Of a training, as much as a line holds; --json has the rest.
_OF_A_TRAINING = (
    "seed",
    "learning_rate",
    "negative_elbo",
    "kl_nats",
    "importance_weighted",
    "active_units",
    "mutual_information",
    "gradient_ratio_init",
    "gradient_ratio_end",
    "mean_cosine_init",
    "mean_cosine_end",
    "reconstruction_share_init",
    "diverged_at",
)


def forecast(work: "Work", executor: "Executor") -> str:
    """What a run is about to do, and about how long it takes.

    Args:
        work: What is missing.
        executor: What will run it.
    """
    slots = executor.slots
    plan = work.plan
    programs = len({cell.program for cell in work.missing})
    seconds = work.expected_seconds(slots)
    trainings = len(work.missing) * plan.protocol.trainings
    idle = len(plan.cells) - len(plan.planned)
    counts = [
        f"{len(plan.cells)} arm{'s' * (len(plan.cells) != 1)}",
        f"{len(plan.planned) - len(work.missing)} stored",
        *(
            [f"{len(work.known)} stored of other sources (kept where their programs are the same)"]
            if work.known
            else []
        ),
        *([f"{idle} not applicable"] if idle else []),
        f"{len(work.missing)} to run ({trainings} trainings of {plan.protocol.steps:,} steps, {programs} programs to "
        f"compile) on {slots} {executor.slot_words}",
    ]
    return f"{plan.workload_text}: {', '.join(counts)}: about {seconds / 60:.1f} minutes"


def cell_line(manifest: dict[str, Any], done: int, of: int, kept: bool) -> str:
    """What a finished cell came to, in a line.

    Args:
        manifest: Its record.
        done: How many have ended.
        of: How many there are.
        kept: Whether a stored cell stands for it.
    """
    came_to, took = manifest["reason"], ""
    if manifest["status"] == "ok":
        rate = significant(manifest["learning_rate"])
        came_to = f"-ELBO {interval_text(student_t(_figures(manifest)))} nats at rate {rate}"
    if kept:
        took = "  (kept: its programs are the same)"
    elif manifest["train_seconds"] is not None:
        took = f"  ({fixed(manifest['train_seconds'], 0)} s)"
    return f"[{done}/{of}] {manifest['arm']}: {manifest['status']}  {came_to}{took}"


def summary_table(summary: pd.DataFrame, console: Console) -> Table:
    """The summary, as far as a terminal is wide.

    Args:
        summary: As `tables.summary` gives it.
        console: Where it will be printed.
    """
    shown = readable(summary).drop(columns=_NOT_IN_TERMINAL, errors="ignore")
    # A table is never measured wider than the console that it is measured for.
    unbounded = console.options.update(width=10_000)
    for column in _WHERE_THERE_IS_ROOM:
        folded = shown.assign(**{name: shown[name].str[:_WORDS_AT_LEAST] for name in _FOLDED if name in shown})
        if console.measure(_summary_table(folded), options=unbounded).maximum <= console.width:
            break
        shown = shown.drop(columns=column, errors="ignore")
    return _summary_table(shown)


def _summary_table(shown: pd.DataFrame) -> Table:
    table = _table()
    for name in shown.columns:
        longest = int(shown[name].astype(str).str.len().max())
        # Figures stay whole, and their titles make way.
        folds = name in _FOLDED
        table.add_column(
            textwrap.fill(str(name), 12), justify="left" if name in WORDS else "right", overflow="fold",
            no_wrap=not folds, min_width=min(_WORDS_AT_LEAST, longest) if folds else None,
        )  # fmt: skip
    for row in shown.itertuples(index=False):
        # As text: a remedy's brackets would be read as markup.
        table.add_row(*(Text(str(value)) for value in row))
    return table


def plateau_line(summary: pd.DataFrame) -> str:
    """Where an arm sits that learns nothing; empty where no cell says it."""
    plateau = ", ".join(f"{value:.2f}" for value in summary["plateau"].dropna().unique())
    return f"plateau: {plateau} nats, where an arm sits that ignores z" if plateau else ""


def entries_table(entries: list[dict[str, Any]]) -> Table:
    """What can be named, a row each."""
    table = _table()
    for name in entries[0]:
        table.add_column(name, overflow="fold")
    for entry in entries:
        table.add_row(*(Text(_entry_text(value)) for value in entry.values()))
    return table


def remedies_table(entries: list[dict[str, Any]]) -> Table:
    """Remedies, a row each, a line between two families."""
    table = _table()
    for head in ("remedy", "family", "parameters", "rates"):
        table.add_column(head, no_wrap=True)
    for head, ratio in (("what it does to the gradient", 8), ("source", 5)):
        table.add_column(head, overflow="fold", ratio=ratio)
    for entry, following in zip(entries, [*entries[1:], None], strict=True):
        parameters = "\n".join(f"{name}={value}" for name, value in entry["parameters"].items())
        words = (
            entry["name"],
            entry["family"],
            parameters,
            rates_words(entry["rates"]),
            _first(entry["mechanism"]),
            entry["source"],
        )
        table.add_row(*map(Text, words), end_section=following is not None and following["family"] != entry["family"])
    return table


def remedy_texts(entry: dict[str, Any]) -> Iterator[Text]:
    """One remedy, whole.

    Args:
        entry: From `listing.remedy_entry`.
    """
    yield Text(f"{entry['name']} ({entry['family']})", style="bold")
    for paragraph in entry["mechanism"].split("\n\n"):
        yield Text(" ".join(paragraph.split()))
    yield Text(f"source: {entry['source']}")
    if entry["parameters"]:
        yield Text(f"parameters: {_entry_text(entry['parameters'])}")
    if entry["idle"]:
        yield Text(f"does nothing at: {_entry_text(entry['idle'])}")
    for base, rates in entry["rates"].items():
        yield Text(f"rates tuned over on {base}: {', '.join(f'{rate:g}' for rate in rates)}")
    for base, changes in entry["changes"].items():
        if isinstance(changes, str):
            yield Text(f"on {base}: not applicable, {changes}")
            continue
        yield Text(f"on {base} it changes {'nothing' if not changes else ''}")
        for slot, (before, after) in changes.items():
            yield Text(f"  {slot}: {_value_text(before)} -> {_value_text(after)}")
    for slot, names in entry["conflicts"].items():
        why = f"they set the slot {slot!r} too" if slot else "what they set is at odds with it"
        yield Text(f"cannot be combined with {', '.join(names)}: {why}")
    yield Text(f"written in {entry['place']}")


def outcome_line(outcome: "CheckResult", width: int) -> Text:
    """What one check of a remedy came to, in a line.

    Args:
        outcome: The check's.
        width: Of the longest name of a remedy.
    """
    style = {"ok": "green", "failed": "bold red"}.get(outcome.status, "dim")
    line = Text(f"{outcome.remedy:<{width}}  ")
    line.append(f"{outcome.status:<14}", style=style)
    line.append(f"  {outcome.check}" + (f": {outcome.said}" if outcome.said else ""))
    return line


def arm_texts(record: dict[str, Any]) -> Iterator[Text | Table]:
    """One arm, whole: how its recipe differs, each training, its cost, and the command that runs it again.

    Args:
        record: From `arm_record`.
    """
    yield Text(f"{record['arm']} on {record['workload']}: {record['status']}", style="bold")
    if record.get("reason"):
        yield Text(record["reason"])
    for slot, (before, after) in record.get("changes", {}).items():
        yield Text(f"  {slot}: {_value_text(before)} -> {_value_text(after)}")
    if record.get("trainings"):
        yield Text(f"-ELBO {interval_text(student_t(_figures(record)))} nats; plateau {fixed(record['plateau'])}")
    for title, name in (("tuning on validation", "tuning"), ("reported on test", "trainings")):
        rows = record.get(name, [])
        if rows:
            table = _table(title=title, title_justify="left")
            columns = [column for column in _OF_A_TRAINING if column in rows[0]]
            for column in columns:
                table.add_column(column.replace("_", " "), justify="right", overflow="fold")
            for row in rows:
                table.add_row(*(_figure_text(row[column]) for column in columns))
            yield table
    if record.get("blame"):
        yield Text(blame_sentence(record["blame"]))
    for row in record.get("trainings", []):
        if row["verdict"]:
            yield Text(f"seed {row['seed']}: {row['verdict']}: {row['because']}")
    for name in ("learning_rate", "parameters", "gradient_evaluations", "compile_seconds", "train_seconds"):
        if record.get(name) is not None:
            yield Text(f"{name}: {significant(record[name]) if name == 'learning_rate' else round(record[name], 1)}")
    timing = record["timing"]
    if timing:
        yield Text(
            f"examples_per_second: {timing['examples_per_second']:,.0f}; slowdown: {timing['slowdown']:.2f}, 95% "
            f"interval {timing['slowdown_low']:.2f} to {timing['slowdown_high']:.2f}; FLOPs per step: "
            f"{timing['flops_per_step']:.3g}"
        )
    for name in ("device", "versions", "commit", "finished", "traceback"):
        if record.get(name):
            yield Text(f"{name}: {_entry_text(record[name], ' ')}")


def diagnosis_texts(case: "Case") -> Iterator[Table | Text]:
    """A diagnosis: its layers, then its sentences.

    Args:
        case: What was found.
    """
    heads, rows = diagnosis_table(case.diagnosis.layers)
    table = _table()
    for index, head in enumerate(heads):
        table.add_column(head, justify="left" if index < 3 else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row), style="bold" if row[0] == case.diagnosis.blame.block else "")
    yield table
    yield from map(Text, diagnosis_words(case))


def _first(mechanism: str) -> str:
    return " ".join(mechanism.split("\n\n")[0].split())


def _table(**options: Any) -> Table:
    return Table(box=None, pad_edge=False, header_style="bold", **options)


def _figures(record: dict[str, Any]) -> list[float]:
    figures = [training["negative_elbo"] for training in record["trainings"]]
    return [float("nan") if figure is None else figure for figure in figures]


def _figure_text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_figure_text, value))
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _value_text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def _entry_text(value: Any, between: str = "=") -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}{between}{entry}" for name, entry in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)
