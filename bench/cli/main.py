"""The command line: the only room that prints."""

import contextlib
import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bench.cli.arguments import parse
from bench.cli.terminal import (
    arm_texts,
    cell_line,
    diagnosis_texts,
    entries_table,
    forecast,
    outcome_line,
    plateau_line,
    remedies_table,
    remedy_texts,
    summary_table,
)
from bench.execution.choose import choose_executor
from bench.language.errors import InputError, unknown
from bench.results.arm_record import arm_record
from bench.results.store import Store

_LISTINGS = ("remedies", "workloads", "suites", "instruments")

Positional = tyro.conf.Positional

# What was typed, for the plan to keep.
_ARGUMENTS: list[str] = []


def main(arguments: list[str] | None = None) -> None:
    """Run one command; exit code 2 for bad input, 1 where a cell failed, 130 where Ctrl-C ended it."""
    _ARGUMENTS[:] = sys.argv[1:] if arguments is None else arguments
    try:
        command = parse(_COMMANDS, _ARGUMENTS)
        sys.exit(command())
    except InputError as error:
        Console(stderr=True).print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped; every finished cell is stored, and the same command goes on from there", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read the output has closed it, as `head` does; what is left to flush has no reader.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        # A full disk, a folder that has become read-only, one on a network that has gone.
        where = f" ({error.filename})" if error.filename else ""
        say = Console(stderr=True).print
        say(f"error: {error.strerror or error}{where}: every finished cell is kept, so mend that and give the same "
            "command again", markup=False, highlight=False, soft_wrap=True)  # fmt: skip
        sys.exit(1)


def run(
    suite: str = "quick",
    workload: str | None = None,
    arms: str | None = None,
    seeds: int | None = None,
    rates: int | None = None,
    steps: int | None = None,
    plugin: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    out: str | None = None,
    workers: int | None = None,
    device: str | None = None,
    executor: str = "local",
    address: str | None = None,
    timing: bool = True,
    dry_run: bool = False,
) -> int:
    """Run a suite: train, time, and write tables, plots and a page. What is stored already is not run again.

    Args:
        suite: Which arms on which workload; `list suites` shows them.
        workload: Another workload than the suite's, as "digits-dense[depth=16,width=128]".
        arms: Other arms than the suite's, as "baseline,gelu,gelu+rezero[alpha=0.1]"; a list value is a sweep,
            and "trainable+*" stands for every remedy on that base.
        seeds: Fresh seeds to report on.
        rates: Learning rates to tune over.
        steps: Steps of each training.
        plugin: A Python file, or a folder of them, with remedies, workloads or instruments of your own; each remedy in
            it becomes an arm.
        out: Where to write; by default results/runs/SUITE.
        workers: Worker processes; by default one per core, or one per GPU.
        device: cpu or gpu; by default a GPU where jax finds one.
        executor: local, for worker processes on this machine, or ray, for a Ray cluster.
        address: HOST:PORT of the Ray cluster; by default RAY_ADDRESS, or the cluster that this machine is a node of.
        timing: Measure throughput after the trainings.
        dry_run: Only say what would be run, and how long it may take.
    """
    from bench.execution.run import find_work
    from bench.planning.plan import make_plan
    from bench.report.own_views import BUILT_IN

    plugins, catalogue = _catalogue(plugin)
    views = BUILT_IN.with_more(catalogue.views)
    engine = choose_executor(executor, address, workers, device)
    plan = make_plan(
        catalogue, suite=suite, workload=workload, arms=arms, seeds=seeds, rates=rates, steps=steps, plugins=plugins,
        device_kind=engine.device.kind,
    )  # fmt: skip
    store = Store(out if out is not None else Path("results", "runs", suite))
    if not dry_run:
        store.require_writable()
    # What another run is writing, no plan is made from.
    with contextlib.nullcontext() if dry_run else store.locked():
        work = find_work(plan, store, timing)
        print(forecast(work, engine), flush=True)
        for sentence in work.unreadable:
            print(sentence)
        if dry_run:
            return 0
        described = plan.describe(shlex.join(["python", "-m", "bench", *_ARGUMENTS]))
        current = store.has_plan(described) and (store.directory / "report.html").exists()
        store.write_plan(described)
        statuses = _follow(work, engine)
        _publish(store, views, rebuild=bool(statuses) or not current)
    return 1 if set(statuses) & {"failed", "timeout", "out of memory"} else 0


def report(directory: Positional[str], plugin: tyro.conf.UseAppendAction[tuple[str, ...]] = ()) -> int:
    """Rebuild tables, plots and page from whatever cells are there, and say how many are missing.

    Args:
        directory: A folder that a run has written.
        plugin: A Python file, or a folder of them, with columns and plots of your own; by default those of the run.
    """
    from bench.report.own_views import load_plans_views, load_views

    store = Store(directory)
    plan = store.read_plan()
    store.require_writable()
    views, skipped = (load_views(plugin), []) if plugin else load_plans_views(plan.plugins)
    _complain(skipped)
    _publish(store, views, rebuild=True)
    return 0


def show(directory: Positional[str], arm: Positional[str], json: bool = False) -> int:
    """One arm of a run: its recipe against the baseline, every figure, and the command that runs it again.

    Args:
        directory: A folder that a run has written.
        arm: As in its table.
        json: Print the record itself.
    """
    record = arm_record(Store(directory), arm)
    if json:
        _print_json(record.plain())
        return 0
    console = _console()
    for text in arm_texts(record.row):
        console.print(text)
    console.print(f"again: {record.command}", markup=False, highlight=False, soft_wrap=True)
    return 0


def list_(
    what: Positional[str],
    name: Positional[str | None] = None,
    family: str | None = None,
    plugin: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    json: bool = False,
    markdown: bool = False,
) -> int:
    """List what can be named: remedies, workloads, suites or instruments.

    Args:
        what: remedies, workloads, suites or instruments.
        name: One remedy, to be shown in full.
        family: Only remedies of this family.
        plugin: A Python file, or a folder of them, whose remedies, workloads and instruments are listed too.
        json: Print as JSON.
        markdown: Print remedies as the page REMEDIES.md.
    """
    if what not in _LISTINGS:
        raise unknown("listing", what, _LISTINGS)
    if what != "remedies" and (name is not None or markdown):
        given = "--markdown" if markdown else f"a name, {name!r},"
        raise InputError(f"{given} goes with list remedies: {what} are always listed whole, as a table or as JSON")
    from bench.planning.listing import list_entries, remedies_markdown, remedy_entry

    _, catalogue = _catalogue(plugin, data=what == "workloads")
    entries = [remedy_entry(catalogue, name)] if name is not None else list_entries(catalogue, what, family)
    console = _console()
    if json:
        _print_json(entries if name is None else entries[0])
    elif markdown:
        print(remedies_markdown(entries), end="")
    elif name is not None:
        for text in remedy_texts(entries[0]):
            console.print(text, highlight=False)
    else:
        console.print(remedies_table(entries) if what == "remedies" else entries_table(entries))
    return 0


def check(*what: Positional[str], timing: bool = True, json: bool = False) -> int:
    """Run the admission test on remedies, and say what passed.

    Args:
        what: Python files, folders of them, or names of remedies; without any, all remedies that are there.
        timing: Measure the time of a step too.
        json: Print as JSON.
    """
    from bench.execution.device import find_device
    from bench.execution.process import configure_process, default_cache

    names = [each for each in what if not _is_path(each)]
    plugins, catalogue = _catalogue(tuple(each for each in what if _is_path(each)), data=True)
    for name in names:
        if name not in catalogue.remedies:
            raise unknown("remedy", name, catalogue.remedies, "python -m bench list remedies")
    if plugins and not catalogue.from_plugins:
        raise InputError(f"{' and '.join(plugins)}: no remedy to check; what is checked is made by @remedy")
    configure_process(find_device(None).platform, None, str(default_cache()))
    from bench.examination.admission import Admission

    chosen = dict.fromkeys([*names, *catalogue.from_plugins]) or catalogue.remedies
    admission, console, outcomes = Admission(catalogue, plugins, timing), _console(), []
    for name in chosen:
        for outcome in admission.results(name):
            outcomes.append(outcome)
            if not json:
                console.print(outcome_line(outcome, max(map(len, chosen))), highlight=False)
    failed = dict.fromkeys(outcome.remedy for outcome in outcomes if outcome.status == "failed")
    if json:
        _print_json([vars(outcome) for outcome in outcomes])
    else:
        print(f"{len(chosen) - len(failed)} of {len(chosen)} passed" + (f"; not {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


def new_remedy(name: Positional[str], family: str = "activation", out: str | None = None) -> int:
    """Write the file of a new remedy, with the few lines to fill in, and say what to run next.

    Args:
        name: Of the remedy, as a Python function is named.
        family: Its family, as `list remedies` shows them.
        out: The file; by default NAME.py.
    """
    from bench.plugins.new_remedy import write_remedy
    from bench.plugins.remedy import FAMILIES

    _, catalogue = _catalogue(())
    taken = {*catalogue.remedies, *catalogue.bases}
    path = write_remedy(name, family, Path(out if out is not None else f"{name}.py"), taken, FAMILIES)
    print(f"{path} is a remedy that works: fill in its source, its sentence and what it changes, then")
    for command in (["check", str(path)], ["run", "--plugin", str(path)]):
        print(f"  {shlex.join(['python', '-m', 'bench', *command])}")
    return 0


def doctor(
    model: Positional[str], data: str, loss: str | None = None, examples: int = 128, out: str | None = None
) -> int:
    """Diagnose a model of your own: a figure for each layer, a verdict, and the block that stops the gradient.

    Args:
        model: package.module:make_model or file.py:make_model, a function that returns a Flax NNX module, a pair of a
            Linen module and its variables, or a pair of an apply function and its parameters.
        data: An .npy file, examples along its first axis.
        loss: package.module:loss or file.py:loss, of the outputs or of outputs and batch; without one, a fixed random
            unit vector is pulled back from the output.
        examples: How many of the examples to use, the first ones.
        out: Where to write the page; by default results/doctor/NAME.
    """
    from bench.examination.own_model import examine
    from bench.report.doctor_page import write_diagnosis

    case = examine(model, data, loss, examples, shlex.join(["python", "-m", "bench", *_ARGUMENTS]))
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", model.removeprefix("./")).strip("-.")
    page = write_diagnosis(case, Path(out) if out is not None else Path("results", "doctor", name))
    console = _console()
    for text in diagnosis_texts(case):
        console.print(text)
    print(f"{page} is the page")
    return 0


_COMMANDS: dict[str, Callable[..., int]] = {
    "run": run, "list": list_, "check": check, "new-remedy": new_remedy, "report": report, "show": show,
    "doctor": doctor,
}  # fmt: skip


def _catalogue(paths: tuple[str, ...], data: bool = False) -> tuple[tuple[str, ...], Any]:
    """The paths of plugins as another process finds them, and everything that has a name."""
    from bench.execution.surroundings import fix_numbers
    from bench.planning.catalogue import load_catalogue

    fix_numbers()
    plugins = tuple(str(Path(path).resolve()) for path in paths)
    catalogue = load_catalogue(plugins, data)
    for sentence in catalogue.skipped:
        Console(stderr=True).print(f"skipped: {sentence}", markup=False, highlight=False, soft_wrap=True)
    return plugins, catalogue


def _is_path(text: str) -> bool:
    return text.endswith(".py") or os.sep in text or Path(text).is_dir()


def _follow(work: Any, executor: Any) -> list[str]:
    """Run, with one bar and a line per finished cell; the statuses of what was run, and of what was only timed."""
    from bench.execution.executor import TrainingsEnded
    from bench.execution.run import CellStored, execute

    console = _console()
    total = len(work.missing) * work.plan.protocol.trainings
    statuses: list[str] = []
    with _bar(console, "trainings", total) as advance:
        for event in execute(work, executor):
            if isinstance(event, TrainingsEnded):
                advance(event.count, None)
            elif isinstance(event, CellStored):
                statuses.append(event.record.status)
                line = cell_line(event.record, len(statuses), len(work.missing), event.kept)
                console.print(line, markup=False, highlight=False)
            else:
                statuses.append("timed")
                advance(0, f"timing {event.done} of {event.of}")
                if event.failure is not None:
                    console.print(f"timing of {event.arm}: {event.failure.reason}", markup=False, highlight=False)
    return statuses


@contextlib.contextmanager
def _bar(console: Console, what: str, total: int) -> Iterator[Callable[[int, str | None], None]]:
    """A progress bar on a terminal; nothing elsewhere, where lines are what a person reads."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal or not total) as progress:
        task = progress.add_task(what, total=total)

        def advance(count: int, description: str | None) -> None:
            progress.update(task, advance=count, description=description or what)

        yield advance


def _publish(store: Store, views: Any, rebuild: bool) -> None:
    """Write tables, plots and page, print the table, and say what is missing."""
    from bench.results.results import Results
    from bench.results.tables import missing

    results = Results.read(store, views.columns)
    said = [*results.unreadable, *results.table.complaints]
    if rebuild:
        from bench.report.publish import publish

        said = publish(results, views.plots)
    console = _console()
    console.print(summary_table(results, console))
    if plateau := plateau_line(results):
        console.print(plateau, highlight=False)
    _complain(said)
    absent = missing(results.summary)
    if absent:
        number = len(results.rows)
        print(f"{len(absent)} of {number} arms are missing: {', '.join(absent[:5])}{' ...' if absent[5:] else ''}")
    print(f"{store.directory / 'report.html'} is the page; summary.csv, summary.md, curves.parquet, plots/ beside it")


def _complain(sentences: list[str]) -> None:
    for sentence in sentences:
        Console(stderr=True).print(sentence, markup=False, highlight=False, soft_wrap=True)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1))


def _console() -> Console:
    # Where no terminal sets it, lines are wide enough for the table.
    return Console(width=None if sys.stdout.isatty() else 160)
