"""`run`: a suite, trained, timed and published."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import UseAppendAction

from bench.cli.console import complain, console
from bench.cli.interruption import unwinding
from bench.cli.plugins import with_plugins
from bench.cli.progress import bar
from bench.cli.publish import publish
from bench.cli.terminal import cell_line, confirmed_line, forecast
from bench.data.fetching.places import use_folder
from bench.execution.choose import choose_executor
from bench.results.stored.store import Store

if TYPE_CHECKING:
    # What is run imports jax, and --help does not.
    from bench.execution.executor import Executor
    from bench.execution.run import Work


def run(
    typed: str,
    suite: str = "quick",
    workload: str | None = None,
    data: str | None = None,
    split: int | None = None,
    arms: str | None = None,
    seeds: int | None = None,
    rates: int | None = None,
    steps: int | None = None,
    patience: int = 0,
    plugin: UseAppendAction[tuple[str, ...]] = (),
    out: str | None = None,
    workers: int | None = None,
    device: str | None = None,
    executor: str = "local",
    address: str | None = None,
    data_dir: str | None = None,
    timing: bool = True,
    verify: bool = False,
    save: bool = False,
    confirm: bool = False,
    dry_run: bool = False,
) -> int:
    """Run a suite: train, time, and write tables, plots and a page. What is stored already is not run again.

    Args:
        typed: The command itself.
        suite: Which arms on which workload; `list suites` shows them.
        workload: Other workloads than the suite's, as "digits-dense[depth=16,width=128]" or "classify,autoencoder"; a
            list value is a sweep.
        data: What the workload is of instead: the name of a set (`data list` shows them), or your own .npy, .npz, .csv
            or .txt file, or folder of images.
        split: Another split of the data, and draw of the test set, than 0: a seed.
        arms: Other arms than the suite's, as "baseline,gelu,gelu+rezero[alpha=0.1]"; a list value is a sweep,
            and "trainable+*" stands for every remedy on that base.
        seeds: Fresh seeds to report on.
        rates: Learning rates to tune over; with 1 each arm's own is taken, and nothing is tuned.
        steps: Steps of each training.
        patience: Follow a training that has not left the plateau up to so many steps, to tell slow from stuck.
        plugin: A Python file, or a folder of them, with remedies, workloads or instruments of your own; each remedy in
            it becomes an arm.
        out: Where to write; by default results/runs/SUITE.
        workers: Worker processes; by default one per core, or one per GPU.
        device: cpu or gpu; by default a GPU where jax finds one.
        executor: local, for worker processes on this machine, or ray, for a Ray cluster.
        address: HOST:PORT of the Ray cluster; by default RAY_ADDRESS, or the cluster that this machine is a node of.
        data_dir: A folder that has sets with a name already; by default the one that VAE_JAX_DATA names.
        timing: Measure throughput after the trainings.
        verify: Lower every stored cell again, and run anew those whose programs or arguments came out different.
        save: Keep each arm's model, of the first fresh seed, for encode, decode, sample and reconstruct; an arm that is
            stored without its model is run again.
        confirm: Train the best arms, and those claimed to be better, on ten fresh seeds more.
        dry_run: Only say what would be run, and how long it may take.
    """
    from bench.execution.run import find_work
    from bench.planning.plan import Plan, make_plan, workloads_of
    from bench.report.own_views import BUILT_IN
    from bench.results.stored.joining import joined

    use_folder(data_dir)
    plugins, catalogue = with_plugins(plugin)
    views = BUILT_IN.with_more(catalogue.views)
    engine = choose_executor(executor, address, workers, device)
    plans: list[Plan] = []
    for text in workloads_of(catalogue, suite, workload):
        plans.append(make_plan(
            catalogue, suite=suite, workload=text, data=data, split=split, arms=arms, seeds=seeds, rates=rates,
            steps=steps, patience=patience, plugins=plugins, device_kind=engine.device.kind, confirm=confirm,
            first_program=plans[-1].programs if plans else 0,
        ))  # fmt: skip
    store = Store(out if out is not None else Path("results", "runs", suite))
    if not dry_run:
        store.require_writable()
    # What another run is writing, no plan is made from.
    with contextlib.nullcontext() if dry_run else store.locked():
        works = [find_work(plan, store, timing, verify, save) for plan in plans]
        print(*(forecast(work, engine) for work in works), sep="\n", flush=True)
        for sentence in dict.fromkeys(sentence for work in works for sentence in work.unreadable):
            print(sentence)
        failed = [cell for plan in plans for cell in plan.cells if cell.status == "failed"]
        for cell in failed:
            complain(f"{cell.arm}: {cell.reason}")
        if dry_run:
            return 1 if failed else 0
        described = joined([plan.describe(typed) for plan in plans], [plan.loaded.text for plan in plans])
        current = store.has_plan(described) and (store.directory / "report.html").exists()
        store.write_plan(described)
        with unwinding(), engine:
            statuses = [status for work in works for status in _follow(work, engine)]
        publish(store, views, rebuild=bool(statuses) or not current)
    return 1 if failed or set(statuses) & {"failed", "timeout", "out of memory"} else 0


def _follow(work: "Work", executor: "Executor") -> list[str]:
    """Run, with one bar and a line per finished cell; the statuses of what was run, and of what was only timed."""
    from bench.execution.executor import TrainingsEnded
    from bench.execution.run import CellConfirmed, CellStored, execute

    screen = console()
    score = work.plan.loaded.workload.score
    total = len(work.missing) * work.plan.protocol.most_trainings
    statuses: list[str] = []
    with bar(screen, "trainings", total) as advance, contextlib.closing(execute(work, executor)) as events:
        for event in events:
            if isinstance(event, TrainingsEnded):
                advance(event.count, None)
            elif isinstance(event, CellStored):
                statuses.append(event.record.status)
                line = cell_line(event.record, score, len(statuses), len(work.missing), event.kept)
                line += f"; no model is saved: {event.unsaved}" if event.unsaved else ""
                screen.print(line, markup=False, highlight=False)
            elif isinstance(event, CellConfirmed):
                statuses.append("confirmed" if event.failure is None else event.failure.status)
                screen.print(confirmed_line(event), markup=False, highlight=False)
            else:
                statuses.append("timed")
                advance(0, f"timing {event.done} of {event.of}")
                if event.failure is not None:
                    screen.print(f"timing of {event.arm}: {event.failure.reason}", markup=False, highlight=False)
    return statuses
