"""A linear recurrence, plain JAX with lax.scan, whose matrix is 1.5 times an orthogonal one: explodes over 30 steps."""

import jax
import jax.numpy as jnp

from tests.doctor_cases import synthetic

STEPS, WIDTH = 30, 24


def init():
    keys = jax.random.split(jax.random.key(0), 3)
    return {
        "transition": 1.5 * jax.nn.initializers.orthogonal()(keys[0], (WIDTH, WIDTH)),
        "input": jax.random.normal(keys[1], (2, WIDTH)) / 2**0.5,
        "readout": jax.random.normal(keys[2], (WIDTH, 1)) / WIDTH**0.5,
    }


def predict(params, sequence):
    def step(state, x):
        return state @ params["transition"] + x @ params["input"], None

    state, _ = jax.lax.scan(step, jnp.zeros((len(sequence), WIDTH)), sequence.swapaxes(0, 1))
    return state @ params["readout"]


def model():
    return predict, init()


def batch():
    waves = synthetic.waves(64, STEPS + 1, 2)
    return {"sequence": waves[:, :-1], "following": waves[:, -1, :1]}


def loss(predicted, batch):
    return jnp.mean((predicted - batch["following"]) ** 2)
