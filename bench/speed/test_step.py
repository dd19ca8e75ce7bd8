"""One training step: against the bare matrix products of its shapes, against peers, and with instruments on and off."""

import functools
from collections.abc import Callable
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.speed.peers import flax_chunk, torch_chunk
from bench.speed.setting import CHUNK, compiled_chunk, interleaved, matrix_products, ratio
from vae_jax.vae import Architecture

DIGITS = Architecture(data=64, depth=8, width=64, latent=8)
ROUNDS = 30

# What each ratio should reach: at most for the ceiling and the instruments, at least for the peers. Printed beside what
# was measured, and never asserted: a machine that is slow today is no error in the code.
GOALS = {"ceiling": 1.6, "instruments": 1.15, "torch": 6.0, "flax": 2.5}


def compare(benchmark: BenchmarkFixture, over: Callable[[], None], under: Callable[[], None], **about: Any) -> None:
    """Time two candidates in interleaved rounds; their ratio stands beside the first one's own figures."""
    seconds = interleaved({"over": over, "under": under}, ROUNDS)
    found = ratio(seconds["over"], seconds["under"])
    benchmark.extra_info.update(about, ratio=found)
    benchmark.pedantic(over, rounds=5, iterations=1)


@pytest.mark.parametrize("arm", ["baseline", "trainable"])
def test_step_over_its_matrix_products(benchmark: BenchmarkFixture, arm: str) -> None:
    compare(
        benchmark, compiled_chunk(DIGITS, arm=arm), matrix_products(DIGITS),
        question=f"step of {arm} over the bare matrix products", goal=GOALS["ceiling"], steps=CHUNK,
    )  # fmt: skip


def test_instruments_at_the_default_interval(benchmark: BenchmarkFixture) -> None:
    compare(
        benchmark, compiled_chunk(DIGITS), compiled_chunk(DIGITS, CHUNK, ()),
        question="instruments at the default interval over none", goal=GOALS["instruments"], steps=CHUNK,
    )  # fmt: skip


def test_instruments_at_every_step(benchmark: BenchmarkFixture) -> None:
    compare(
        benchmark, compiled_chunk(DIGITS, 1), compiled_chunk(DIGITS, CHUNK, ()),
        question="instruments at every step over none", goal=None, steps=CHUNK,
    )  # fmt: skip


def test_flax_loop_over_the_step(benchmark: BenchmarkFixture) -> None:
    compare(
        benchmark, flax_chunk(DIGITS), compiled_chunk(DIGITS),
        question="plain Flax loop over the step", goal=GOALS["flax"], steps=CHUNK,
    )  # fmt: skip


def test_torch_over_the_step(benchmark: BenchmarkFixture) -> None:
    torch = pytest.importorskip("torch", reason="the peer needs pip install '.[peers]'")
    torch.set_num_threads(1)
    compare(
        benchmark, torch_chunk(DIGITS), compiled_chunk(DIGITS),
        question="eager PyTorch over the step, one core", goal=GOALS["torch"], steps=CHUNK,
    )  # fmt: skip


@pytest.mark.parametrize("depth", [2, 8, 32])
@pytest.mark.parametrize("width", [64, 256])
def test_how_cost_grows(benchmark: BenchmarkFixture, depth: int, width: int) -> None:
    sizes = functools.partial(Architecture, data=64, latent=8)
    shape = sizes(depth=depth, width=width)
    compare(
        benchmark, compiled_chunk(shape), matrix_products(shape),
        question=f"step over its matrix products, depth {depth}, width {width}", goal=None, steps=CHUNK,
    )  # fmt: skip
