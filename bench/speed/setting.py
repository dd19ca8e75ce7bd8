"""What is timed, and how: candidates that do the same work, in interleaved rounds of one run."""

import functools
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.arm import parse_arms
from bench.catalogue import load_catalogue
from bench.compose import build_workload, compose
from vae_jax.instruments import INSTRUMENTS, Instrument
from vae_jax.keys import named_key
from vae_jax.train import Data, Loop, Numbers, init, schedules, start, train
from vae_jax.vae import Architecture

BATCH, CHUNK, RECORD_EVERY = 128, 100, 25
ARM = "trainable"


def compiled_chunk(
    architecture: Architecture,
    record_every: int = RECORD_EVERY,
    instruments: tuple[Instrument, ...] = INSTRUMENTS,
    arm: str = ARM,
) -> Callable[[], None]:
    """A function that takes one chunk of steps of the suite's own compiled training, and waits for it.

    Args:
        architecture: The model's sizes.
        record_every: Steps between records.
        instruments: What a record holds.
        arm: Which recipe.
    """
    catalogue = load_catalogue()
    workload = build_workload(catalogue, "digits-dense")[1]
    (parsed,) = parse_arms(arm, tuple(workload.bases))
    recipe = compose(catalogue, workload, parsed)
    dataset = workload.data()
    data = Data(jnp.asarray(dataset.train), jnp.asarray(dataset.mean))
    key = jax.random.key(0)
    drawn = jax.jit(init, static_argnums=2)(named_key(key, "init"), recipe, architecture, data.mean)
    state = start(recipe.program(), *drawn)
    rates, weights = schedules(recipe, recipe.learning_rate, CHUNK, CHUNK)
    numbers = Numbers(recipe.program(), rates[0], weights[0], jnp.asarray(2**30), jnp.asarray(1e9))
    loop = Loop(BATCH, CHUNK, record_every, instruments)
    program = jax.jit(functools.partial(train, architecture=architecture, loop=loop))
    compiled = program.lower(state, key, numbers, data).compile()
    return lambda: jax.block_until_ready(compiled(state, key, numbers, data))


def matrix_products(architecture: Architecture) -> Callable[[], None]:
    """A function that takes a chunk of bare matrix products: those of one training step, and nothing else.

    For each layer h W on the way forward, and g W^T and h^T g on the way back: the ceiling of any implementation that
    does not change the shapes. The encoder's first layer needs no gradient at its input, so one product less.
    """
    width, latent = architecture.width, architecture.latent
    hidden = [(width, width)] * architecture.depth
    shapes = [
        (architecture.data, width), *hidden, (width, 2 * latent), (latent, width), *hidden, (width, architecture.data),
    ]  # fmt: skip
    draw = np.random.default_rng(0)
    operands = [
        tuple(jnp.asarray(draw.normal(size=size), jnp.float32) for size in ((BATCH, i), (i, o), (BATCH, o)))
        for i, o in shapes
    ]

    def step(_: Any, total: jax.Array) -> jax.Array:
        for index, (h, kernel, g) in enumerate(operands):
            # Tied to the step before without a copy: else the products would be done once for all steps.
            (h, kernel, g), total = jax.lax.optimization_barrier(((h, kernel, g), total))
            products = [h @ kernel, h.T @ g] + ([g @ kernel.T] if index else [])
            total = sum((product[0, 0] for product in jax.lax.optimization_barrier(products)), total)
        return total

    compiled = jax.jit(lambda: jax.lax.fori_loop(0, CHUNK, step, jnp.zeros(()))).lower().compile()
    return lambda: jax.block_until_ready(compiled())


def interleaved(candidates: Mapping[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Seconds per call of each candidate, round by round; a first round warms up and is not counted.

    A machine's speed drifts; candidates of one round have met the same machine, so their ratio has not.
    """
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(rounds + 1):
        for name, candidate in candidates.items():
            begun = time.perf_counter()
            candidate()
            if number:
                seconds[name].append(time.perf_counter() - begun)
    return seconds


def ratio(over: list[float], under: list[float]) -> dict[str, float]:
    """Median and quartiles of the rounds' ratios."""
    low, median, high = np.quantile(np.divide(over, under), [0.25, 0.5, 0.75])
    return {"median": float(median), "low": float(low), "high": float(high)}
