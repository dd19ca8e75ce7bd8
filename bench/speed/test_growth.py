"""How the cost of a step and of compiling grows with depth, width and lanes; and whether to scan deep towers."""

import functools
from collections.abc import Callable

import jax
import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.speed.scanned import scanned_tower
from bench.speed.setting import Setting, Training, compiled_chunk, matrix_products
from bench.speed.timing import interleave, note
from vae_jax.towers.dense import DenseTower

# A GPU is busy with so many small trainings, and a core with one.
LANES = (1, 4, 16, 64) if jax.default_backend() == "cpu" else (1, 4, 16, 64, 256, 1024)

# Rounds and the steps in one of them: fewer where a step is long, as there one round is long enough to be even.
SHORT, LONG, LONGEST = (20, 100), (10, 50), (3, 50)


@pytest.mark.parametrize(
    ("depth", "width", "length"),
    [(2, 64, SHORT), (8, 64, SHORT), (32, 64, LONG), (128, 64, LONG), (8, 256, LONG), (8, 1024, LONGEST)],
)
def test_depth_and_width(
    benchmark: BenchmarkFixture, at_most: Callable[[int], int], uncached: None, depth: int, width: int,
    length: tuple[int, int],
) -> None:  # fmt: skip
    rounds, chunk = length
    setting = Setting(depth=depth, width=width, chunk=chunk)
    step, compile_seconds = Training(setting).compile()
    over, under = interleave(benchmark, step, matrix_products(setting), at_most(rounds))
    note(
        benchmark, "shape", f"step over its matrix products, depth {depth}, width {width}", over, under,
        steps=chunk, depth=depth, width=width, compile_seconds=compile_seconds,
    )  # fmt: skip


@pytest.mark.parametrize("lanes", LANES)
def test_lanes(benchmark: BenchmarkFixture, at_most: Callable[[int], int], lanes: int) -> None:
    chunk = 50
    one, side_by_side = compiled_chunk(Setting(chunk=chunk)), compiled_chunk(Setting(lanes=lanes, chunk=chunk))
    over, under = interleave(benchmark, one, side_by_side, at_most(10))
    note(
        benchmark, "lanes", f"trainings a second, {lanes:,} side by side over one alone",
        over, [seconds / lanes for seconds in under], steps=chunk, lanes=lanes,
    )  # fmt: skip


@pytest.mark.parametrize("depth", [8, 32, 64])
def test_scanned_over_written_out(
    benchmark: BenchmarkFixture, at_most: Callable[[int], int], uncached: None, monkeypatch: pytest.MonkeyPatch,
    depth: int,
) -> None:  # fmt: skip
    chunk = 50
    training = Training(Setting(depth=depth, chunk=chunk))
    written, written_compile = training.compile()
    with monkeypatch.context() as patched:
        patched.setattr(DenseTower, "__call__", scanned_tower)
        scanned, scanned_compile = training.compile()
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-7), scanned(), written())
    about = {"depth": depth, "width": 64}
    over, under = interleave(benchmark, scanned, written, at_most(10))
    note(
        benchmark, "scan", f"blocks scanned over written out, depth {depth}, to run", over, under, steps=chunk, **about
    )
    note(
        benchmark, "scan", f"blocks scanned over written out, depth {depth}, to compile",
        [scanned_compile], [written_compile], **about,
    )  # fmt: skip
