"""Trainings side by side in one program: what differs between lanes, and a function of one as a function of all."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from vae_jax.recipe.keys import random_key
from vae_jax.training.train import Numbers, TrainState

# What differs between lanes: all of the state but the step, and of the numbers the learning rates.
STATE_AXES: Any = TrainState(*[0] * len(TrainState._fields))._replace(step=None)  # type: ignore
NUMBERS_AXES: Any = Numbers(recipe=None, learning_rates=0, kl_weights=None, stop=None)  # type: ignore


def over_lanes(function: Callable[..., Any], in_axes: Any, out_axes: Any, lanes: int) -> Callable[..., Any]:
    """A function of one training as a function of all lanes; with one lane it is the function itself, bit for bit."""
    return function if lanes == 1 else jax.vmap(function, in_axes, out_axes)


def keys_of(seeds: Sequence[int]) -> jax.Array:
    """The training's key of each lane; of one lane its own."""
    keys = [random_key(seed) for seed in seeds]
    return keys[0] if len(keys) == 1 else jnp.stack(keys)
