"""An LSTM, plain JAX, that forecasts a series; one recurrent weight was NaN in the file that it was loaded from."""

import jax
import jax.numpy as jnp

from tests.doctor_cases import synthetic

WIDTH = 32


def make():
    keys = jax.random.split(jax.random.key(0), 3)
    lstm = {
        "input": jax.random.normal(keys[0], (2, 4 * WIDTH)) / 2**0.5,
        "recurrent": jax.random.normal(keys[1], (WIDTH, 4 * WIDTH)) / WIDTH**0.5,
        "bias": jnp.zeros(4 * WIDTH).at[WIDTH : 2 * WIDTH].set(1.0),
    }
    lstm["recurrent"] = lstm["recurrent"].at[5, 9].set(jnp.nan)
    return forecast, {"lstm": lstm, "head": {"kernel": jax.random.normal(keys[2], (WIDTH, 2)) / WIDTH**0.5}}


def forecast(params, series):
    lstm = params["lstm"]

    def step(state, x):
        hidden, cell = state
        write, keep, show, new = jnp.split(x @ lstm["input"] + hidden @ lstm["recurrent"] + lstm["bias"], 4, -1)
        cell = jax.nn.sigmoid(keep) * cell + jax.nn.sigmoid(write) * jnp.tanh(new)
        hidden = jax.nn.sigmoid(show) * jnp.tanh(cell)
        return (hidden, cell), hidden @ params["head"]["kernel"]

    zeros = jnp.zeros((len(series), WIDTH))
    _, steps = jax.lax.scan(step, (zeros, zeros), series.swapaxes(0, 1))
    return steps.swapaxes(0, 1)


def batch():
    return synthetic.waves(128, 24)


def loss(forecasts, series):
    return jnp.mean((forecasts[:, :-1] - series[:, 1:]) ** 2)
