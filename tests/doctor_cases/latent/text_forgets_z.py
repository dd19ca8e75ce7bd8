"""An LSTM VAE of text, teacher forcing, whose decoder forgot to read z: its state starts at zeros."""

import jax
import jax.numpy as jnp
import optax
from jax.ad_checkpoint import checkpoint_name

from tests.doctor_cases import synthetic

WIDTH = 48
SIZES = {"encoder": (96, 192), "mean": (48, 8), "log_var": (48, 8), "decoder": (96, 192), "logits": (48, 32)}


def make():
    embedding = jax.random.normal(jax.random.key(1), (32, WIDTH))
    keys = dict(zip(SIZES, jax.random.split(jax.random.key(0), len(SIZES)), strict=True))
    return {"embedding": embedding} | {
        name: jax.random.normal(keys[name], size) / size[0] ** 0.5 for name, size in SIZES.items()
    }


def batch():
    return synthetic.counting(128, 20)


def lstm(kernel, words, start):
    def step(state, word):
        hidden, cell = state
        write, keep, show, new = jnp.split(jnp.concatenate([word, hidden], -1) @ kernel, 4, -1)
        cell = jax.nn.sigmoid(keep + 1) * cell + jax.nn.sigmoid(write) * jnp.tanh(new)
        hidden = jax.nn.sigmoid(show) * jnp.tanh(cell)
        return (hidden, cell), hidden

    return jax.lax.scan(step, (start, start), words.swapaxes(0, 1))


def decode(params, z, words):
    before = jnp.pad(words, ((0, 0), (1, 0), (0, 0)))[:, :-1]
    return lstm(params["decoder"], before, jnp.zeros((len(z), WIDTH)))[1].swapaxes(0, 1) @ params["logits"]


def objective(params, tokens, key):
    words = params["embedding"][tokens]
    (hidden, _), _ = lstm(params["encoder"], words, jnp.zeros((len(tokens), WIDTH)))
    mean = checkpoint_name(hidden @ params["mean"], "mean")
    log_var = checkpoint_name(hidden @ params["log_var"], "log_var")
    z = checkpoint_name(mean + jnp.exp(0.5 * log_var) * jax.random.normal(key, mean.shape), "z")
    logits = checkpoint_name(decode(params, z, words), "reconstruction")
    surprise = optax.softmax_cross_entropy_with_integer_labels(logits, tokens).sum(-1)
    return jnp.mean(surprise + 0.5 * (jnp.exp(log_var) + mean**2 - 1 - log_var).sum(-1))
