"""A contrastive encoder of two views of each image, NNX, whose loss tells it from all others of the batch: healthy."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from tests.doctor_cases import synthetic


class Encoder(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.conv_1 = nnx.Conv(1, 16, (3, 3), strides=2, rngs=rngs)
        self.conv_2 = nnx.Conv(16, 32, (3, 3), strides=2, rngs=rngs)
        self.hidden = nnx.Linear(4 * 4 * 32, 64, rngs=rngs)
        self.projection = nnx.Linear(64, 32, rngs=rngs)

    def embed(self, view):
        h = jax.nn.relu(self.conv_2(jax.nn.relu(self.conv_1(view))))
        h = self.projection(jax.nn.relu(self.hidden(h.reshape(len(h), -1))))
        return h / jnp.linalg.norm(h, axis=-1, keepdims=True)

    def __call__(self, first, second):
        return self.embed(first), self.embed(second)


def make():
    return Encoder(nnx.Rngs(0))


def view(images, draw):
    moved = np.stack([np.roll(image, draw.integers(-1, 2, 2), (0, 1)) for image in images])
    noisy = moved * draw.uniform(0.6, 1.4, (len(images), 1, 1)) + 0.1 * draw.normal(size=images.shape)
    return noisy.astype(np.float32)[..., None]


def batch():
    draw, images = np.random.default_rng(4), synthetic.blobs(64, 16)
    return {"first": view(images, draw), "second": view(images, draw)}


def info_nce(embeddings):
    first, second = embeddings
    similarity, own = first @ second.T / 0.2, jnp.arange(len(first))
    both_ways = [optax.softmax_cross_entropy_with_integer_labels(s, own).mean() for s in (similarity, similarity.T)]
    return sum(both_ways) / 2
