"""Peers that do the suite's work another way: a chunk of steps, or one arm in full."""

import functools
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from bench.planning.protocol import Protocol
from bench.speed.machine import take_core
from bench.speed.peers.flax_peer import flax_arm
from bench.speed.peers.torch_peer import torch_arm
from bench.speed.setting import CHUNK, Setting

TRAININGS = 10
"""Of one arm."""

PEERS: dict[str, Callable[..., Callable[[int, float], Any]]] = {
    "torch": torch_arm, "torch compiled": functools.partial(torch_arm, compiled=True), "flax": flax_arm
}  # fmt: skip
_LEARNING_RATE = 1e-3


class Arm(NamedTuple):
    """One arm, trained in full.

    Attributes:
        seconds: What it took, compiling included, imports not.
        first: -ELBO on validation at the first evaluation of each training.
        last: -ELBO at the end of each.
    """

    seconds: float
    first: list[float]
    last: list[float]


def peer_chunk(name: str, **options: Any) -> Callable[[], None]:
    """A function that takes a chunk of steps, the norm of each layer's gradient in every one, and waits for it.

    Args:
        name: One of `PEERS`.
        options: The peer's own.
    """
    training = PEERS[name](Setting().architecture, draws=1, **options)(0, _LEARNING_RATE)

    def chunk() -> None:
        norms = [training.step(record=True) for _ in range(CHUNK)]
        assert all(float(norm) > 0 for norm in norms[-1])

    return chunk


def train_arm(name: str, steps: int, core: int | None = None) -> Arm:
    """Train one arm ten times, with the protocol's records and evaluations; for a process of its own.

    Args:
        name: One of `PEERS`.
        steps: Steps of each training.
        core: The number of the one core to run on; None for all, with the peer's default threads.
    """
    if core is not None:
        take_core(core)
    begun = time.perf_counter()
    protocol = Protocol(steps)
    begin = PEERS[name](Setting().architecture, protocol.draws)

    def train(seed: int) -> tuple[float, float]:
        training = begin(seed, _LEARNING_RATE)
        norms, validation = [], []
        for step in range(steps):
            norms.append(training.step(record=step % protocol.record_every == 0))
            if (step + 1) % protocol.validate_every == 0:
                validation.append(training.negative_elbo("validation"))
        return float(validation[0]), float(training.negative_elbo("test"))

    curves = [train(seed) for seed in range(TRAININGS)]
    return Arm(time.perf_counter() - begun, *map(list, zip(*curves, strict=True)))
