"""Texts and tables of the command line: the words of a forecast, a finished cell, a summary, one arm."""

import json
import math
import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bench.language.arms import typed
from bench.language.figures import decimals, figure, fixed, rates_words, significant, thousands
from bench.report.conclusions import blame_sentence
from bench.report.diagnosis_words import diagnosis_table, diagnosis_words
from bench.results.column import ALWAYS, NEVER, Column
from bench.results.judging.score import Score
from bench.results.judging.statistics import interval_text, student_t
from bench.results.results import Results, Row
from bench.results.stored.records import CellRecord, TrainingRecord
from bench.results.tables import plateaus, readable, shown
from bench.results.two_runs import TwoRuns

if TYPE_CHECKING:
    # What is run imports jax; what is read does not.
    from bench.examination.check_result import CheckResult
    from bench.examination.own_model import Case
    from bench.execution.executor import Executor
    from bench.execution.run import CellConfirmed, Work

# What may take more than one line, and characters of it that stand in one at least.
_FOLDED = ("arm", "reason")
_WORDS_AT_LEAST = 24

# Of a training, as much as a line holds; --json has the rest.
_OF_A_TRAINING = (
    "seed",
    "learning_rate",
    "score",
    "kl_nats",
    "importance_weighted",
    "active_units",
    "mutual_information",
    "gradient_ratio_init",
    "gradient_ratio_end",
    "mean_cosine_init",
    "mean_cosine_end",
    "shared_gradient_init",
    "reconstruction_share_init",
    "diverged_at",
)

# What a suite's command and its outcome stand in begins a line of its own.
_PARAGRAPH = re.compile(r"\n\n|\n(?=Command: |Expect: )")

_ESTIMATED = ("importance_weighted", "active_units", "mutual_information")


def forecast(work: "Work", executor: "Executor") -> str:
    """A sentence on what a run is about to do, and about how long it takes; and where its data are from.

    Args:
        work: What is missing.
        executor: What will run it.
    """
    slots = executor.slots
    plan = work.plan
    programs = len({cell.program for cell in work.missing})
    seconds = work.expected_seconds(slots)
    protocol = plan.protocol
    trainings = len(work.missing) * protocol.trainings
    # How often a grid grows nobody knows before.
    grows = "at least " if protocol.most_trainings > protocol.trainings else ""
    others = Counter(cell.status for cell in plan.cells if cell.status != "planned")
    counts = [
        f"{len(plan.cells)} arm{'s' * (len(plan.cells) != 1)}",
        f"{len(plan.planned) - len(work.missing)} stored",
        *(
            [f"{len(work.known)} stored of other sources (kept where their programs are the same)"]
            if work.known
            else []
        ),
        *(f"{count} {status}" for status, count in others.items()),
        f"{len(work.missing)} to run ({grows}{trainings} trainings of {protocol.steps:,} steps, {programs} "
        f"programs to compile) on {slots} {executor.slot_words}",
    ]
    said = f"{plan.loaded.text}: {', '.join(counts)}: about {seconds / 60:.1f} minutes"
    data = plan.loaded.dataset.description
    return "\n".join([said, *([_saving(work)] if work.save else []), *([data] if data else [])])


def _saving(work: "Work") -> str:
    models, again = len(work.missing), len(work.unsaved)
    said = f"saves {models} model{'s' * (models != 1)}, {thousands(work.model_bytes, 'B')}"
    stored = f"{again} arm{'s are' if again != 1 else ' is'} stored without"
    return f"{said}; {stored}, and run again for it" if again else said


def cell_line(record: CellRecord, score: Score, done: int, of: int, kept: bool) -> str:
    """A line on what a finished cell came to.

    Args:
        record: Its record.
        score: Its workload's.
        done: How many have ended.
        of: How many there are.
        kept: Whether a stored cell stands for it.
    """
    came_to, took = record.reason, ""
    if record.status == "ok":
        rate = significant(record.learning_rate)
        came_to = f"{score.name} {_interval(record.trainings)} {score.unit} at rate {rate}"
    if kept:
        took = "  (kept: its programs are the same)"
    elif record.train_seconds is not None:
        took = f"  ({fixed(record.train_seconds, 0)} s)"
    return f"[{done}/{of}] {record.arm}: {record.status}  {came_to}{took}"


def confirmed_line(event: "CellConfirmed") -> str:
    """A line on an arm that was trained on further seeds.

    Args:
        event: What came of it.
    """
    said = f"[{event.done}/{event.of}] {event.arm}: confirmed on {event.seeds} fresh seeds"
    return said if event.failure is None else f"[{event.done}/{event.of}] {event.arm}: {event.failure.reason}"


def summary_table(results: Results, console: Console) -> Table:
    """The summary, as far as a terminal is wide.

    Args:
        results: Of a run.
        console: Where it will be printed.
    """
    text = readable(results)
    columns = [column for column in shown(results) if column.terminal != NEVER]
    # A table is never measured wider than the console that it is measured for.
    unbounded = console.options.update(width=10_000)
    # Of those that go at one place the last goes first.
    going = sorted(
        (column for column in reversed(columns) if column.terminal != ALWAYS), key=lambda each: each.terminal
    )
    # A table is as wide as its longest texts: one row of them is measured, not thousands.
    widest = pd.DataFrame({name: [max(cells, key=len, default="")] for name, cells in text.items()})
    folded = widest.assign(**{name: widest[name].str[:_WORDS_AT_LEAST] for name in _FOLDED if name in widest})
    for column in going:
        if console.measure(_summary_table(folded, columns), options=unbounded).maximum <= console.width:
            break
        columns.remove(column)
    return _summary_table(text, columns)


def _summary_table(text: pd.DataFrame, columns: list[Column]) -> Table:
    table = _table()
    for column in columns:
        longest = int(text[column.name].str.len().max())
        # Figures stay whole, and their titles make way.
        folds = column.name in _FOLDED
        table.add_column(
            textwrap.fill(column.title, 12), justify="left" if column.words else "right", overflow="fold",
            no_wrap=not folds, min_width=min(_WORDS_AT_LEAST, longest) if folds else None,
        )  # fmt: skip
    for row in text[[column.name for column in columns]].itertuples(index=False):
        # As text: a remedy's brackets would be read as markup.
        table.add_row(*(Text(str(value)) for value in row))
    return table


def plateau_line(results: Results) -> str:
    """Where an arm sits that learns nothing; empty where no cell says it."""
    coded = all(workload.latent is not None for workload in results.plan.workloads.values())
    ignorant = "ignores z" if coded else "has learnt nothing"
    several = len(results.workloads) > 1
    said = [
        f"{plateau} {part.score.unit}{f' on {name}' if several else ''}"
        for name, part in results.workloads.items()
        if (plateau := plateaus(part.summary))
    ]
    return f"plateau: {', '.join(said)}, where an arm sits that {ignorant}" if said else ""


def entries_table(entries: list[dict[str, Any]]) -> Table:
    """A table of things that can be named, a row each."""
    table = _table()
    for name in entries[0]:
        table.add_column(name, overflow="fold")
    for entry in entries:
        table.add_row(*(Text(_entry_text(value)) for value in entry.values()))
    return table


def described_texts(entries: list[dict[str, Any]]) -> Iterator[RenderableType]:
    """Things that can be named and that need many words, one after another.

    Args:
        entries: With a name and a description each.
    """
    for entry in entries:
        about = {name: value for name, value in entry.items() if name not in ("name", "description")}
        yield Text(entry["name"], style="bold")
        paragraphs = [" ".join(paragraph.split()) for paragraph in _PARAGRAPH.split(entry["description"])]
        for text in (*paragraphs, *(f"{name}: {_entry_text(value)}" for name, value in about.items())):
            yield Padding(Text(text), (0, 0, 0, 2))
        yield Text()


def remedies_table(entries: list[dict[str, Any]]) -> Table:
    """Remedies, a row each, a line between two families."""
    table = _table()
    for head in ("remedy", "family", "parameters", "rates"):
        table.add_column(head, no_wrap=True)
    for head, ratio in (("what it does to the gradient", 8), ("source", 5)):
        table.add_column(head, overflow="fold", ratio=ratio)
    for entry, following in zip(entries, [*entries[1:], None], strict=True):
        parameters = "\n".join(f"{name}={typed(value)}" for name, value in entry["parameters"].items())
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
    """A line on what one check came to.

    Args:
        outcome: The check's.
        width: Of the longest name.
    """
    style = {"ok": "green", "failed": "bold red"}.get(outcome.status, "dim")
    line = Text(f"{outcome.name:<{width}}  ")
    line.append(f"{outcome.status:<14}", style=style)
    line.append(f"  {outcome.check}" + (f": {outcome.said}" if outcome.said else ""))
    return line


def arm_texts(row: Row) -> Iterator[Text | Table]:
    """One arm, whole: how its recipe differs, each training, its cost.

    Args:
        row: The arm's.
    """
    yield Text(f"{row.cell.arm} on {row.cell.workload}: {row.status}", style="bold")
    for sentence in dict.fromkeys((row.reason, row.unreadable)):
        if sentence:
            yield Text(sentence)
    if not row.stored:
        return
    record, score = row.record, row.workload.score
    for slot, (before, after) in record.changes.items():
        yield Text(f"  {slot}: {_value_text(before)} -> {_value_text(after)}")
    if record.trainings:
        yield Text(f"{score.name} {_interval(record.trainings)} {score.unit}; plateau {figure(row.plateau)}")
    for title, trainings in (("tuning on validation", record.tuning), ("reported on test", record.trainings)):
        if trainings:
            table = _table(title=title, title_justify="left")
            # Of a training that only tunes nothing is estimated.
            names = [name for name in _OF_A_TRAINING if trainings is record.trainings or name not in _ESTIMATED]
            for name in names:
                head = score.name if name == "score" else name.replace("_", " ")
                table.add_column(head, justify="right", overflow="fold")
            for training in trainings:
                table.add_row(*(_figure_text(getattr(training, name)) for name in names))
            yield table
    if record.blame:
        yield Text(blame_sentence(record.blame))
    for training in record.trainings:
        if training.verdict:
            yield Text(f"seed {training.seed}: {training.verdict}: {training.because}")
    for name in ("learning_rate", "parameters", "gradient_evaluations", "compile_seconds", "train_seconds"):
        value = getattr(record, name)
        if value is not None:
            yield Text(f"{name}: {significant(value) if name == 'learning_rate' else round(value, 1)}")
    timing = row.timing
    if timing:
        yield Text(
            f"examples_per_second: {timing.examples_per_second:,.0f}; slowdown: {timing.slowdown:.2f}, 95% interval "
            f"{timing.slowdown_low:.2f} to {timing.slowdown_high:.2f}; FLOPs per step: {timing.flops_per_step:.3g}"
        )
    about = {"device": record.device and vars(record.device), "versions": record.versions, "commit": record.commit,
             "finished": record.finished, "traceback": record.traceback}  # fmt: skip
    for name, value in about.items():
        if value:
            said = ", ".join(f"{key} {each}" for key, each in value.items()) if isinstance(value, dict) else value
            yield Text(f"{name}: {said}")


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
    if rows:
        yield table
    yield from map(Text, diagnosis_words(case))


def two_runs_texts(found: TwoRuns) -> Iterator[RenderableType]:
    """Two results side by side: what is real, arm by arm, and what else differs.

    Args:
        found: See `bench.results.two_runs`.
    """
    counts = Counter(each.comparison.word for each in found.arms)
    yield Text(f"{len(found.arms)} arms in both: " + ", ".join(f"{count} {word}" for word, count in counts.items()))
    if found.machines:
        yield Text("Speeds come from different machines: compare nothing that is in seconds.", style="bold")
    several = len({each.workload for each in found.arms}) > 1
    table = _table()
    for head in (*["workload"] * several, "arm", "gain, first", "gain, second", "score, second - first", "word"):
        words = head in ("workload", "arm", "word")
        table.add_column(head, justify="left" if words else "right", overflow="fold")
    for each in sorted(found.arms, key=lambda each: -abs(each.comparison.difference.mean)):
        told, (first, second) = each.comparison, each.gains
        beside = interval_text(told.difference, like=each.plateau) + ("" if each.paired else " (unpaired)")
        digits = decimals(each.plateau)
        names = (*[each.workload] * several, each.arm)
        style = "bold" if told.word.startswith(("better", "worse")) else ""
        table.add_row(*map(Text, (*names, fixed(first, digits), fixed(second, digits), beside, told.text)), style=style)
    yield table
    for each in found.arms:
        for slot, (before, after) in each.changes.items():
            yield Text(f"{each.arm}: {slot}: {_value_text(before)} -> {_value_text(after)}")
    yield from map(Text, found.said)


def _first(mechanism: str) -> str:
    return " ".join(mechanism.split("\n\n")[0].split())


def _table(**options: Any) -> Table:
    return Table(box=None, pad_edge=False, header_style="bold", **options)


def _interval(trainings: Sequence[TrainingRecord]) -> str:
    figures = (training.score for training in trainings)
    return interval_text(student_t([math.nan if figure is None else figure for figure in figures]))


def _figure_text(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _value_text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def _entry_text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={typed(entry)}" for name, entry in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)
