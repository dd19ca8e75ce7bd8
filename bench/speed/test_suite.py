"""A whole suite end to end, compiling and all, through the real command; and the same trainings by peers.

A fixed list of trainings, whatever the protocol: ten of each arm, at one rate. A peer trains those of one arm in full,
with as many records and evaluations. Its time is the number of arms times that; with two processes, the number of arms
over two, times the longer of two arms trained side by side.
"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.speed.machine import command, whole_machine
from bench.speed.peers.arm import TRAININGS, Arm, train_arm
from bench.speed.timing import note

# One gradient evaluation and the same matrices in every step: no arm is cheaper than `trainable`, which the peers
# train, except where XLA makes it so.
ARMS = (
    "trainable", "trainable+he_normal", "trainable+cosine_decay", "trainable+learning_rate_warmup",
    "trainable+kl_warmup", "trainable+free_bits",
    "trainable+relu", "trainable+elu", "trainable+selu", "trainable+gelu", "trainable+silu",
    "trainable+batch_norm", "trainable+layer_norm", "trainable+rms_norm",
    "trainable+rezero", "trainable+pre_activation_residual", "trainable+post_activation_residual",
    "trainable+adamw", "trainable+rmsprop", "trainable+clip_by_global_norm",
)  # fmt: skip
STEPS = 1500
GOALS = {("torch", 1): 6.5, ("torch", 2): 3.0, ("flax", 1): 3.2, ("flax", 2): 2.8}
NAMES = {"torch": "eager PyTorch", "torch compiled": "PyTorch with torch.compile", "flax": "plain Flax"}


@pytest.fixture(scope="module")
def steps(pytestconfig: pytest.Config) -> int:
    return pytestconfig.getoption("suite_steps") or STEPS


def suite_arguments(steps: int, folder: Path) -> list[str]:
    """Arguments of the command that trains the whole list into a folder."""
    options = f"--steps {steps} --rates 1 --seeds {TRAININGS} --device cpu --no-timing --arms {','.join(ARMS)}"
    return ["run", *options.split(), "--out", str(folder)]


@pytest.fixture(scope="module")
def suite_seconds(steps: int, tmp_path_factory: pytest.TempPathFactory) -> float:
    """Seconds of the whole command, from nothing stored and nothing compiled to the page."""
    folder = tmp_path_factory.mktemp("suite")
    found = command(*suite_arguments(steps, folder / "out"), cache=folder / "cache")
    assert found.said.count(": ok") == len(ARMS), found.said
    return found.seconds


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("name", list(NAMES))
def test_peer_over_the_suite(
    benchmark: BenchmarkFixture, steps: int, suite_seconds: float, name: str, processes: int
) -> None:
    if name.startswith("torch"):
        pytest.importorskip("torch", reason="the peer needs pip install '.[peers]'")

    def train() -> list[Arm]:
        # A forked jax hangs: its threads are not copied with it.
        context = multiprocessing.get_context("spawn")
        with whole_machine(), ProcessPoolExecutor(processes, context) as pool:
            # Side by side, each on a core of its own: more threads than cores would only slow the peers down.
            cores = [None] if processes == 1 else list(range(processes))
            return list(pool.map(train_arm, [name] * processes, [steps] * processes, cores))

    arms = benchmark.pedantic(train, rounds=1, iterations=1)
    for arm in arms:
        assert np.isfinite(arm.last).all()
        assert min(arm.last) < max(arm.first)
    seconds = len(ARMS) / processes * max(arm.seconds for arm in arms)
    said = "one process" if processes == 1 else f"{processes} processes"
    note(
        benchmark, "suite", f"{len(ARMS) * TRAININGS} x {steps:,} steps: {NAMES[name]}, {said}, over the suite",
        [seconds], [suite_seconds], goal_at_least=GOALS.get((name, processes)),
    )  # fmt: skip
