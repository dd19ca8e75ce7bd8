"""A sequence tagger with attention, Linen, whose mask is -inf: two sequences are all padding, softmax over nothing."""

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from tests.doctor_cases import synthetic

PAD = 0


class Tagger(nn.Module):
    width: int = 48

    @nn.compact
    def __call__(self, tokens):
        visible = (tokens != PAD)[:, None, :]
        h = nn.Embed(33, self.width, name="embed")(tokens)
        query, keys, values = jnp.split(
            nn.Dense(3 * self.width, name="qkv")(nn.LayerNorm(name="norm_1")(h)), 3, axis=-1
        )
        scores = jnp.einsum("bqd,bkd->bqk", query, keys) / self.width**0.5
        weights = nn.softmax(jnp.where(visible, scores, -jnp.inf))
        h = h + nn.Dense(self.width, name="out")(weights @ values)
        h = h + nn.Dense(self.width, name="down")(nn.gelu(nn.Dense(96, name="up")(nn.LayerNorm(name="norm_2")(h))))
        return nn.Dense(2, name="head")(h)


def make():
    model = Tagger()
    return model, model.init(jax.random.key(0), jnp.ones((2, 24), jnp.int32))


def batch():
    tokens = 1 + synthetic.counting(64, 24)
    lengths = 24 - 3 * (jnp.arange(64) % 6)
    lengths = lengths.at[jnp.array([9, 33])].set(0)
    tokens = jnp.where(jnp.arange(24) < lengths[:, None], tokens, PAD)
    return {"tokens": tokens, "odd": tokens % 2}


def loss(logits, batch):
    surprise = optax.softmax_cross_entropy_with_integer_labels(logits, batch["odd"])
    return jnp.sum(jnp.where(batch["tokens"] == PAD, 0.0, surprise)) / jnp.sum(batch["tokens"] != PAD)
