"""A small VAE on real digits, compiled once for all tests that train it, and the signals that its layers see."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.data.digits import digits
from vae_jax.initialization.initializers import orthogonal
from vae_jax.models.batch import Batch
from vae_jax.models.vae import VAEArchitecture
from vae_jax.objective.loss import Given
from vae_jax.recipe.configured import configure
from vae_jax.recipe.keys import named_key
from vae_jax.recipe.recipe import Recipe
from vae_jax.training.instruments import INSTRUMENTS, kl_nats, reconstruction, score
from vae_jax.training.train import Data, Loop, Numbers, TrainState, draw_chunk, init, schedules, start, train

ARCHITECTURE = VAEArchitecture(data=64, depth=3, width=16, latent=4)
LOOP = Loop(batch=32, chunk=10, record_every=5, instruments=(score, reconstruction, kl_nats))
# With all instruments a program takes twice as long to compile.
WATCHED = Loop(LOOP.batch, LOOP.chunk, LOOP.record_every, INSTRUMENTS)
DATASET = digits()
TANH = Recipe().replace(activation=jnp.tanh, kernel_init=configure(orthogonal, scale=1.0))
ERF = jax.scipy.special.erf
GELU = configure(jax.nn.gelu, approximate=False)
KEY = jax.random.key(3)
# A batch of signals 16 wide, as a hidden layer sees it.
H = jax.random.normal(jax.random.key(4), (32, 16))


def data(dtype: Any = jnp.float32) -> Data:
    """The digits as arrays."""
    return Data(jnp.asarray(DATASET.train, dtype), jnp.asarray(DATASET.mean, dtype))


def double(tree: Any) -> Any:
    """The same tree as numpy's arrays in float64."""
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), tree)


def begin(recipe: Recipe, seed: int = 0, architecture: VAEArchitecture = ARCHITECTURE) -> TrainState:
    """The state before the first step."""
    key = named_key(jax.random.key(seed), "init")
    parameters, statistics = jax.jit(init, static_argnums=2)(key, recipe, architecture, data())
    return start(numbers(recipe, recipe.learning_rate, LOOP.chunk)[0], parameters, statistics)


def first_step(statistics: Any, traced: Recipe, batch: Batch, noise: jax.Array) -> Given:
    """All that the objective of a first step is given, at KL weight 1."""
    return Given(
        statistics=statistics,
        recipe=traced,
        kl_weight=jnp.ones((), noise.dtype),
        batch=batch,
        noise=noise,
        key=jax.random.key(0),
        progress=jnp.zeros((), noise.dtype),
        treatment_state=traced.kl_treatment().init(),
    )


def numbers(recipe: Recipe, learning_rate: float, stop: int, loop: Loop = LOOP) -> list[Numbers]:
    """The numbers of every chunk."""
    rates, weights = schedules(recipe, learning_rate, stop, loop.chunk)
    traced = recipe.traced()
    return [Numbers(traced, rates[i], weights[i], jnp.asarray(stop)) for i in range(len(rates))]


def drawing(architecture: Any, loop: Loop) -> Callable[..., tuple[TrainState, dict[str, Any]]]:
    """`train` as a function of a training set, from which it draws its chunk."""

    def drawn_and_trained(state: TrainState, key: jax.Array, numbers: Numbers, data: Data) -> Any:
        sizes = {"architecture": architecture, "batch": loop.batch, "chunk": loop.chunk}
        return train(
            state, key, numbers, draw_chunk(key, state.step, data, **sizes), architecture=architecture, loop=loop
        )

    return drawn_and_trained


@functools.cache
def taken(loop: Loop, architecture: VAEArchitecture) -> Any:
    """The jitted `train`; jit tells the programs of different recipes apart by itself."""
    return jax.jit(functools.partial(train, architecture=architecture, loop=loop))


@functools.cache
def compiled(loop: Loop = LOOP, architecture: VAEArchitecture = ARCHITECTURE) -> Any:
    """A chunk of steps of a training set: drawn by one program that all recipes share, and taken by another."""
    sizes = {"architecture": architecture, "batch": loop.batch, "chunk": loop.chunk}
    drawn, steps = jax.jit(functools.partial(draw_chunk, **sizes)), taken(loop, architecture)
    return lambda state, key, numbers, data: steps(state, key, numbers, drawn(key, state.step, data))


def run(
    recipe: Recipe, learning_rate: float, stop: int, seed: int = 0, loop: Loop = LOOP
) -> tuple[TrainState, list[dict[str, Any]]]:
    """A whole training, and each chunk's readings."""
    state, readings = begin(recipe, seed), []
    for chunk in numbers(recipe, learning_rate, stop, loop):
        state, reading = compiled(loop)(state, jax.random.key(seed), chunk, data())
        readings.append(reading)
    return state, readings
