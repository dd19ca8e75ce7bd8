"""An embedding for metric learning, Linen, of unit length by vmap: the norm of a blank image has no derivative."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from tests.doctor_cases import synthetic


def to_unit_length(h):
    norm = jnp.linalg.norm(h)
    return h / jnp.where(norm > 0, norm, 1.0)


class Embedding(nn.Module):
    @nn.compact
    def __call__(self, images):
        h = images.reshape(len(images), -1)
        for layer, width in enumerate((128, 64)):
            h = nn.relu(nn.Dense(width, use_bias=False, name=f"dense_{layer}")(h))
        h = nn.Dense(16, use_bias=False, name="to_code")(h)
        return jax.vmap(to_unit_length)(h)


def make():
    model = Embedding()
    return model, model.init(jax.random.key(0), jnp.zeros((2, 28, 28)))


def batch():
    images = synthetic.blobs(64)
    labels = synthetic.quadrant(images)
    images[17] = 0
    return {"images": images, "labels": labels}


def loss(codes, batch):
    alike = batch["labels"][:, None] == batch["labels"]
    cosine = codes @ codes.T
    return jnp.mean(jnp.where(alike, 1 - cosine, jnp.maximum(cosine - 0.3, 0)))
