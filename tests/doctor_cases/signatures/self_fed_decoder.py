"""A GRU autoencoder in plain JAX whose decoder is fed its own last output for 40 steps of lax.scan: healthy."""

import jax
import jax.numpy as jnp

from tests.doctor_cases import synthetic

LENGTH, CHANNELS, WIDTH = 40, 2, 32


def init_gru(key):
    x_key, h_key = jax.random.split(key)
    x = jax.nn.initializers.lecun_normal()(x_key, (CHANNELS, 3 * WIDTH))
    bias = jnp.concatenate([jnp.zeros(WIDTH), jnp.full(WIDTH, 1.5), jnp.zeros(WIDTH)])
    return {"x": x, "h": jax.nn.initializers.orthogonal()(h_key, (WIDTH, 3 * WIDTH)), "bias": bias}


def gru(params, h, x):
    x_reset, x_keep, x_new = jnp.split(x @ params["x"] + params["bias"], 3, axis=-1)
    h_reset, h_keep, h_new = jnp.split(h @ params["h"], 3, axis=-1)
    keep = jax.nn.sigmoid(x_keep + h_keep)
    return keep * h + (1 - keep) * jnp.tanh(x_new + jax.nn.sigmoid(x_reset + h_reset) * h_new)


def make():
    keys = jax.random.split(jax.random.key(0), 3)
    output = jax.nn.initializers.lecun_normal()(keys[2], (WIDTH, CHANNELS))
    return autoencode, {"encoder": init_gru(keys[0]), "decoder": init_gru(keys[1]), "output": output}


def autoencode(params, sequences):
    def read(h, x):
        return gru(params["encoder"], h, x), None

    def write(carry, _):
        h = gru(params["decoder"], *carry)
        written = h @ params["output"]
        return (h, written), written

    code, _ = jax.lax.scan(read, jnp.zeros((len(sequences), WIDTH)), sequences.swapaxes(0, 1))
    _, written = jax.lax.scan(write, (code, jnp.zeros((len(sequences), CHANNELS))), length=LENGTH)
    return written.swapaxes(0, 1)


def batch():
    return synthetic.waves(64, LENGTH, CHANNELS)


def loss(written, sequences):
    return jnp.mean((written - sequences) ** 2)
