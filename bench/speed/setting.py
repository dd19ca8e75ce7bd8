"""The trainings that are timed: candidates that do the same work, in interleaved rounds of one run."""

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.language.arms import parse_arms
from bench.planning.catalogue import load_catalogue
from bench.planning.compose import build_workload, compose
from bench.training.lanes import NUMBERS_AXES, STATE_AXES, over_lanes
from vae_jax.models.vae import VAEArchitecture
from vae_jax.recipe.keys import named_key
from vae_jax.training.instruments import INSTRUMENTS, Instrument
from vae_jax.training.train import Data, Loop, Numbers, draw_chunk, init, schedules, start, train

BATCH, CHUNK, RECORD_EVERY = 128, 100, 50


@dataclass(frozen=True)
class Setting:
    """One training to be timed; the defaults are the suite's own.

    Attributes:
        depth: Blocks in each tower.
        width: Units in each hidden layer.
        lanes: Trainings side by side.
        arm: Which recipe.
        chunk: Steps that one call takes.
        record_every: Steps between records.
        instruments: What a record holds.
    """

    depth: int = 8
    width: int = 64
    lanes: int = 1
    arm: str = "trainable"
    chunk: int = CHUNK
    record_every: int = RECORD_EVERY
    instruments: tuple[Instrument, ...] = INSTRUMENTS

    @property
    def architecture(self) -> VAEArchitecture:
        """The model's sizes on digits."""
        return VAEArchitecture(data=64, depth=self.depth, width=self.width, latent=8)


class Training:
    """The suite's own training, drawn and ready to be compiled."""

    def __init__(self, setting: Setting):
        catalogue = load_catalogue()
        workload = build_workload(catalogue, "digits-dense")[1]
        (arm,) = parse_arms(setting.arm, tuple(workload.bases))
        recipe = compose(catalogue, workload, arm)
        dataset = workload.data()
        data = Data(jnp.asarray(dataset.train), jnp.asarray(dataset.mean))
        rates, weights = schedules(recipe, recipe.learning_rate, setting.chunk, setting.chunk)
        # As if the training were long: with the real length, chunks past its end would be empty and fast.
        stop = jnp.asarray(2**30)
        numbers = Numbers(recipe.traced(), rates[0], weights[0], stop)
        draw = jax.jit(init, static_argnums=2)
        keys = [jax.random.key(seed) for seed in range(setting.lanes)]
        states = [start(numbers, *draw(named_key(key, "init"), recipe, setting.architecture, data)) for key in keys]
        self._setting = setting
        self._arguments: Any = (states[0], keys[0], numbers, data)
        if setting.lanes > 1:
            # In numpy: a program that stacks a thousand arrays takes long to compile.
            state = jax.tree.map(lambda *leaves: jnp.asarray(np.stack(leaves)), *states)._replace(step=states[0].step)
            rate = jnp.tile(rates[0], (setting.lanes, 1))
            numbers = Numbers(recipe.traced(), rate, weights[0], stop)
            self._arguments = (state, jnp.stack(keys), numbers, data)

    def compile(self) -> tuple[Callable[[], Any], float]:
        """A function that draws and takes one chunk of steps, waits and returns its readings; and the seconds to
        compile both programs.
        """
        setting, (state, keys, numbers, data) = self._setting, self._arguments
        loop = Loop(BATCH, setting.chunk, setting.record_every, setting.instruments)
        drawing = functools.partial(draw_chunk, architecture=setting.architecture, batch=BATCH, chunk=setting.chunk)
        training = functools.partial(train, architecture=setting.architecture, loop=loop)
        drawing = over_lanes(drawing, (0, None, None), 0, setting.lanes)
        training = over_lanes(training, (STATE_AXES, 0, NUMBERS_AXES, 0), (STATE_AXES, 0), setting.lanes)
        begun = time.perf_counter()
        lowered = jax.jit(drawing).lower(keys, state.step, data)
        draw = lowered.compile()
        step = jax.jit(training).lower(state, keys, numbers, lowered.out_info).compile()
        seconds = time.perf_counter() - begun
        return lambda: jax.block_until_ready(step(state, keys, numbers, draw(keys, state.step, data)))[1], seconds


def compiled_chunk(setting: Setting) -> Callable[[], Any]:
    """A function that takes one chunk of steps of the suite's own compiled training, and waits for it."""
    return Training(setting).compile()[0]


def matrix_products(setting: Setting) -> Callable[[], None]:
    """A function that takes a chunk of bare matrix products: those of one training step, and nothing else.

    For each layer h W on the way forward, and g W^T and h^T g on the way back: the ceiling of any implementation that
    does not change the shapes. The encoder's first layer needs no gradient at its input, so one product less.
    """
    sizes = setting.architecture
    width, latent = sizes.width, sizes.latent
    blocks = [(width, width)] * sizes.depth
    shapes = [(sizes.data, width), *blocks, (width, 2 * latent), (latent, width), *blocks, (width, sizes.data)]
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

    compiled = jax.jit(lambda: jax.lax.fori_loop(0, setting.chunk, step, jnp.zeros(()))).lower().compile()
    return lambda: jax.block_until_ready(compiled())
