"""Whole commands as a person gives them: what they take beyond the steps themselves, and what their workers hold."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.results.stored.store import Store
from bench.speed.machine import Command, command, cores
from bench.speed.setting import Setting, matrix_products
from bench.speed.timing import note, note_cost

START_UP = ("--help", "list remedies", "run --dry-run", "report {run}", "show {run} baseline", "data list")
MEGABYTES = 1000.0
ROUNDS = 3


class Bench:
    """`make bench`, its environment ready: with nothing compiled, then with all compiled, then with all stored."""

    def __init__(self, folder: Path):
        self.cache, self.directory = folder / "cache", folder / "again"
        self.cold = self._run(folder / "first")
        self.warm = self._run(self.directory)
        self.unchanged = self._run(self.directory)

    def _run(self, directory: Path) -> Command:
        return command("run", "--device", "cpu", "--out", str(directory), cache=self.cache)


def least_seconds(directory: Path) -> float:
    """Of a run's trainings x steps x each arm's own step, as the run has timed it, on all cores."""
    store = Store(directory)
    plan, seconds = store.read_plan(), 0.0
    for cell in plan.cells:
        record, timing = store.read(cell.identity), store.read_timing(cell.identity)
        if record is not None and timing is not None:
            trainings = len(record.tuning) + len(record.trainings)
            steps = plan.workloads[cell.workload].steps
            seconds += trainings * steps * statistics.median(timing.seconds_per_step)
    return seconds / cores()


def timing_seconds(directory: Path) -> tuple[float, int]:
    """From the last cell that a run has stored to its last timing, and of how many programs."""
    first, last = (max(path.stat().st_mtime for path in (directory / kind).iterdir()) for kind in ("cells", "timings"))
    plan = Store(directory).read_plan()
    return last - first, len({cell.program for cell in plan.cells if cell.status == "planned"})


@pytest.fixture(scope="module")
def bench_runs(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"))


def test_make_bench(benchmark: BenchmarkFixture, bench_runs: Bench) -> None:
    benchmark.pedantic(lambda: None)
    least = least_seconds(bench_runs.directory)
    for cache, found, goal in (("cold", bench_runs.cold, 1.6), ("warm", bench_runs.warm, 1.35)):
        question = f"make bench, compilation cache {cache}, over its steps alone on all cores"
        note(benchmark, "commands", question, [found.seconds], [least], goal_at_most=goal)
    question = "make bench, nothing changed"
    note_cost(benchmark, "commands", question, "s", [bench_runs.unchanged.seconds], goal_at_most=8.0)
    seconds, programs = timing_seconds(bench_runs.directory)
    note_cost(benchmark, "commands", f"timing of {programs} programs", "s", [seconds], goal_at_most=40.0)
    note_memory(benchmark, "make bench", bench_runs.cold)


def note_memory(benchmark: BenchmarkFixture, what: str, found: Command) -> None:
    """The rows of what a command held, and its workers."""
    note_cost(
        benchmark, "commands", f"{what}: its largest worker", "MB", [found.worker_megabytes], goal_at_most=MEGABYTES
    )
    note_cost(benchmark, "commands", f"{what}: the command itself", "MB", [found.megabytes])


@pytest.mark.parametrize("text", START_UP)
def test_start_up(benchmark: BenchmarkFixture, at_most: Callable[[int], int], bench_runs: Bench, text: str) -> None:
    arguments = text.format(run=bench_runs.directory).split()
    seconds: list[float] = []
    benchmark.pedantic(
        lambda: seconds.append(command(*arguments, cache=bench_runs.cache).seconds),
        rounds=at_most(ROUNDS),
        warmup_rounds=1,
    )
    note_cost(benchmark, "commands", f"python -m bench {text.format(run='RUN')}", "s", seconds[1:])


def test_a_thousand_trainings(benchmark: BenchmarkFixture, at_most: Callable[[int], int], tmp_path: Path) -> None:
    """From an empty cache, without the timing pass."""
    setting = Setting()
    chunk, products = matrix_products(setting), []

    def measure_products() -> None:
        for _ in range(at_most(20)):
            begun = time.perf_counter()
            chunk()
            products.append((time.perf_counter() - begun) / setting.chunk)

    # Ten trainings of each arm, whatever the protocol.
    options = f"run --suite hundred --rates 1 --seeds 10 --no-timing --device cpu --out {tmp_path / 'out'}".split()
    chunk()
    measure_products()
    found = benchmark.pedantic(lambda: command(*options, cache=tmp_path / "cache"), rounds=1)
    measure_products()
    assert found is not None
    store = Store(tmp_path / "out")
    plan = store.read_plan()
    records = [record for cell in plan.cells if (record := store.read(cell.identity)) is not None]
    steps = sum(len(record.trainings) for record in records) * plan.protocol.steps
    least = steps * statistics.median(products) / cores()
    question = f"{steps:,} steps of {len(records)} arms from an empty cache, over their matrix products on all cores"
    note(benchmark, "commands", question, [found.seconds], [least], goal_at_most=2.5)
    note_memory(benchmark, "a thousand trainings", found)
