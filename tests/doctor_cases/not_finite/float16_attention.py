"""A one-block attention classifier, Linen, in float16: the rows hold pixels up to 255, the scores pass 65504."""

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from tests.doctor_cases import synthetic


class Classifier(nn.Module):
    width: int = 64

    @nn.compact
    def __call__(self, images):
        half = jnp.float16
        h = nn.Dense(self.width, dtype=half, name="embed")(images)
        query = nn.Dense(self.width, dtype=half, name="query")(h)
        keys = nn.Dense(self.width, dtype=half, name="key")(h)
        values = nn.Dense(self.width, dtype=half, name="value")(h)
        scores = jnp.einsum("bqd,bkd->bqk", query, keys)
        weights = nn.softmax(scores / self.width**0.5)
        h = h + nn.Dense(self.width, dtype=half, name="out")(jnp.einsum("bqk,bkd->bqd", weights, values))
        h = nn.LayerNorm(name="norm")(h.astype(jnp.float32).mean(1))
        return nn.Dense(4, name="head")(h)


def make():
    model = Classifier()
    return model, model.init(jax.random.key(0), jnp.zeros((2, 28, 28)))


def batch():
    images = synthetic.blobs(64)
    return {"images": 255 * images, "labels": synthetic.quadrant(images)}


def loss(logits, batch):
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch["labels"]).mean()
