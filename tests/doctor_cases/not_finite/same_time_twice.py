"""A recurrent network of speeds, plain JAX: one reading came twice, so that at step 13 its speed is 0 over 0."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.doctor_cases import synthetic

WIDTH = 40


def make():
    draw = iter(jax.random.split(jax.random.key(0), 3))
    sizes = {"speed": (2, WIDTH), "state": (WIDTH, WIDTH), "out": (WIDTH, 2)}
    return run, {name: jax.random.normal(next(draw), size) / size[0] ** 0.5 for name, size in sizes.items()}


def run(params, readings, times):
    def step(carry, now):
        state, last_reading, last_time = carry
        reading, time = now
        speed = (reading - last_reading) / (time - last_time)[:, None]
        state = jnp.tanh(0.3 * speed @ params["speed"] + state @ params["state"])
        return (state, reading, time), state @ params["out"]

    start = (jnp.zeros((len(readings), WIDTH)), readings[:, 0], times[:, 0] - 1)
    _, guesses = jax.lax.scan(step, start, (readings.swapaxes(0, 1), times.T))
    return guesses.swapaxes(0, 1)


def batch():
    readings = synthetic.waves(64, 25)
    times = np.tile(np.arange(25, dtype=np.float32), (64, 1))
    readings[40, 13], times[40, 13] = readings[40, 12], times[40, 12]
    return {"readings": readings[:, :24], "times": times[:, :24], "next_readings": readings[:, 1:]}


def loss(guesses, batch):
    return jnp.mean((batch["readings"] + guesses - batch["next_readings"]) ** 2)
