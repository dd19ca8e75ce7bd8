"""The cost of compiling: with instruments and without, and with the persistent cache empty and full."""

import itertools
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
from jax.experimental.compilation_cache import compilation_cache
from pytest_benchmark.fixture import BenchmarkFixture

from bench.speed.setting import CHUNK, Setting, Training
from bench.speed.timing import interleave, note

ROUNDS = 5


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
    note(benchmark, "compile", question, over, under, goal_at_most=1.25, compile_seconds=float(np.median(over)))


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
