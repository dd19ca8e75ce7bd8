"""One training step: against the bare matrix products of its shapes, against peers, and with instruments on and off."""

from collections.abc import Callable
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.speed.peers.arm import peer_chunk
from bench.speed.setting import CHUNK, RECORD_EVERY, Setting, compiled_chunk, matrix_products
from bench.speed.timing import interleave, note

ROUNDS = 30


@pytest.fixture
def compare(benchmark: BenchmarkFixture, at_most: Callable[[int], int]) -> Callable[..., None]:
    def compare(question: str, over: Callable[[], Any], under: Callable[[], Any], **about: Any) -> None:
        seconds = interleave(benchmark, over, under, at_most(ROUNDS))
        note(benchmark, "step", question, *seconds, steps=CHUNK, **about)

    return compare


@pytest.mark.parametrize(("arm", "goal"), [("baseline", 1.6), ("trainable", 1.75)])
def test_step_over_its_matrix_products(compare: Callable[..., None], arm: str, goal: float) -> None:
    setting = Setting(arm=arm)
    compare(
        f"step of {arm} over the bare matrix products of its shapes",
        compiled_chunk(setting), matrix_products(setting), goal_at_most=goal,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("record_every", "said", "goal"), [(RECORD_EVERY, "at the default interval", 1.07), (1, "at every step", None)]
)
def test_instruments_to_run(compare: Callable[..., None], record_every: int, said: str, goal: float | None) -> None:
    on, off = Setting(record_every=record_every), Setting(record_every=CHUNK, instruments=())
    compare(f"instruments {said} over none, to run", compiled_chunk(on), compiled_chunk(off), goal_at_most=goal)


def test_flax_loop_over_the_step(compare: Callable[..., None]) -> None:
    compare("plain Flax loop over the step", peer_chunk("flax"), compiled_chunk(Setting()), goal_at_least=2.5)


@pytest.mark.parametrize(
    ("said", "goal", "options"),
    [
        ("eager PyTorch, default Adam", 6.0, {"fused": False}),
        ("eager PyTorch, fused Adam", 6.0, {}),
        ("PyTorch with torch.compile, fused Adam", None, {"compiled": True}),
    ],
)
# What compiles imports modules that use what torch itself calls outdated.
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torch_over_the_step(
    compare: Callable[..., None], said: str, goal: float | None, options: dict[str, bool]
) -> None:
    torch = pytest.importorskip("torch", reason="the peer needs pip install '.[peers]'")
    torch.set_num_threads(1)
    compare(f"{said}, over the step", peer_chunk("torch", **options), compiled_chunk(Setting()), goal_at_least=goal)
