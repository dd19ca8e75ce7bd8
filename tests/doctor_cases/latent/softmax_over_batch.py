"""An attention classifier of image rows, Linen, whose softmax runs over the examples of the batch (axis 0)."""

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from tests.doctor_cases import synthetic


class Attention(nn.Module):
    width: int

    @nn.compact
    def __call__(self, h):
        query, keys, values = jnp.split(nn.Dense(3 * self.width, name="qkv")(h), 3, axis=-1)
        scores = jnp.einsum("bqd,bkd->bqk", query, keys) / self.width**0.5
        weights = nn.softmax(scores, axis=0)
        return nn.Dense(self.width, name="out")(jnp.einsum("bqk,bkd->bqd", weights, values))


class Classifier(nn.Module):
    width: int = 48

    @nn.compact
    def __call__(self, images):
        h = nn.Dense(self.width, name="embed")(images)
        h = h + self.param("position", nn.initializers.normal(0.1), h.shape[1:])
        for block in range(2):
            h = h + Attention(self.width, name=f"attention_{block}")(nn.LayerNorm(name=f"norm_{block}")(h))
        return nn.Dense(4, name="head")(nn.LayerNorm(name="norm")(h).mean(1))


def make():
    model = Classifier()
    return model, model.init(jax.random.key(0), jnp.zeros((2, 28, 28)))


def batch():
    images = synthetic.blobs(64)
    return {"images": images, "labels": synthetic.quadrant(images)}


def loss(logits, batch):
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch["labels"]).mean()
