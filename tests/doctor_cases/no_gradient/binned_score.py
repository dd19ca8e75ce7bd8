"""Scores of tabular rows, Linen, that are cut to whole levels between two modules: no gradient passes the cast."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn


class Score(nn.Module):
    @nn.compact
    def __call__(self, rows):
        h = nn.LayerNorm(name="norm")(rows)
        h = nn.relu(nn.Dense(64, name="dense_1")(h))
        h = nn.relu(nn.Dense(64, name="dense_2")(h))
        return nn.softplus(nn.Dense(6, name="scores")(h))


class Price(nn.Module):
    @nn.compact
    def __call__(self, rows):
        scores = Score(name="score")(rows)
        levels = (4 * scores).astype(jnp.int32)
        h = nn.relu(nn.Dense(48, name="dense_1")(levels))
        return nn.Dense(1, name="price")(h)[:, 0]


def make():
    model = Price()
    return model, model.init(jax.random.key(0), jnp.ones((2, 10)))


def batch():
    draw = np.random.default_rng(5)
    rows = draw.normal(size=(128, 10)).astype(np.float32)
    prices = rows[:, 0] * rows[:, 1] + abs(rows[:, 2]) + 0.1 * draw.normal(size=128)
    return {"rows": rows, "prices": prices.astype(np.float32)}


def loss(guess, batch):
    return jnp.abs(guess - batch["prices"]).mean()
