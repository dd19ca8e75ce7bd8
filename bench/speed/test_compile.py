"""The cost of compiling: with instruments and without, with the persistent cache empty and full, and in a cold cell."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from jax.experimental.compilation_cache import compilation_cache
from pytest_benchmark.fixture import BenchmarkFixture

from bench.planning.catalogue import load_catalogue
from bench.planning.plan import make_plan
from bench.speed.setting import CHUNK, Setting, Training
from bench.speed.timing import interleave, note, note_cost
from bench.training.cell import run_cell
from bench.training.programs import forget

ROUNDS = 5
STEPS = 1500


def compile_afresh(training: Training) -> None:
    """Trace and compile with nothing left in memory from the time before."""
    jax.clear_caches()
    training.compile()


def test_instruments_to_compile(benchmark: BenchmarkFixture, at_most: Callable[[int], int], uncached: None) -> None:
    on, off = Training(Setting()), Training(Setting(record_every=CHUNK, instruments=()))
    over, under = interleave(
        benchmark, lambda: compile_afresh(on), lambda: compile_afresh(off), at_most(ROUNDS), warm_up=0
    )
    question = "instruments at the default interval over none, to compile"
    note(benchmark, "compile", question, over, under, goal_at_most=1.3, compile_seconds=float(np.median(over)))


def test_cold_compile_over_warm(
    benchmark: BenchmarkFixture, at_most: Callable[[int], int], uncached: None, tmp_path: Path
) -> None:
    training = Training(Setting())
    caches = (tmp_path / str(number) for number in itertools.count())
    jax.config.update("jax_enable_compilation_cache", True)

    def cold() -> None:
        jax.config.update("jax_compilation_cache_dir", str(next(caches)))
        compilation_cache.reset_cache()
        compile_afresh(training)

    warm, under = interleave(benchmark, lambda: compile_afresh(training), cold, at_most(ROUNDS), warm_up=0)
    question = "compiling with an empty cache over reading it back"
    note(benchmark, "compile", question, under, warm, compile_seconds=float(np.median(under)))


# What jax tells of, and the names of an arm's programs; the rest are single operations outside them.
_TRACE, _LOWER, _COMPILE = (
    f"/jax/core/compile/{what}_duration" for what in ("jaxpr_trace", "jaxpr_to_mlir_module", "backend_compile")
)
PROGRAMS = {
    "draw": "initial weights", "draw_chunk": "minibatches and noise", "train": "steps", "validate": "evaluation",
    "estimate": "estimates", "present": "what theory is given", "arrive": "blame",
}  # fmt: skip
_OTHERS = "single operations"


@contextmanager
def compiling() -> Iterator[tuple[defaultdict[str, float], defaultdict[str, float]]]:
    """Seconds to lower and to compile what is compiled within, by what it is."""
    lower: defaultdict[str, float] = defaultdict(float)
    compile_: defaultdict[str, float] = defaultdict(float)
    traced: dict[str, float] = {}

    def listen(event: str, duration_secs: float, **about: Any) -> None:
        name = str(about.get("fun_name", "")).removeprefix("jit(").removesuffix(")")
        kind = PROGRAMS.get(name, _OTHERS)
        if event == _TRACE:
            # Functions within are traced within: what counts is the one that is lowered next.
            traced[name] = duration_secs
        elif event == _LOWER:
            lower[kind] += duration_secs + traced.pop(name, 0.0)
        elif event == _COMPILE:
            compile_[kind] += duration_secs

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield lower, compile_
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


@pytest.mark.parametrize(("arm", "goal"), [("trainable", 6.0), ("baseline", 8.0)])
def test_cold_cell(
    benchmark: BenchmarkFixture, at_most: Callable[[int], int], uncached: None, arm: str, goal: float
) -> None:
    plan = make_plan(load_catalogue(), suite="quick", workload="digits-dense", arms=arm, steps=STEPS)
    job = plan.job(plan.planned[0])
    found: list[tuple[defaultdict[str, float], defaultdict[str, float]]] = []

    def cell() -> None:
        forget()
        with compiling() as counters:
            run_cell(job, lambda: None)
        found.append(counters)

    benchmark.pedantic(cell, rounds=at_most(3), warmup_rounds=0)
    for kind in (*PROGRAMS.values(), _OTHERS):
        if any(counter[kind] for counters in found for counter in counters):
            for index, what in enumerate(("to lower", "to compile")):
                note_cost(benchmark, "cold", f"{arm}, {kind}: {what}", "s", [each[index][kind] for each in found])
    total = [sum(sum(counter.values()) for counter in counters) for counters in found]
    note_cost(benchmark, "cold", f"{arm}: all programs, to lower and to compile", "s", total, goal_at_most=goal)
    whole = benchmark.stats
    assert whole is not None
    seconds = list(whole.stats.data)
    note_cost(benchmark, "cold", f"{arm}: a whole cold cell, {job.protocol.trainings} x {STEPS:,} steps", "s", seconds)
    assert np.all(np.asarray(total) < seconds)
