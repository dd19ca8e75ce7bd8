"""A multi-label classifier, NNX, with a cross-entropy written by hand: a probability of exactly 1 gives log(0)."""

import jax.numpy as jnp
from flax import nnx

from tests.doctor_cases import synthetic

TEMPERATURE = 0.02


class Quarters(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.hidden_1 = nnx.Linear(784, 128, kernel_init=nnx.initializers.he_normal(), rngs=rngs)
        self.hidden_2 = nnx.Linear(128, 64, kernel_init=nnx.initializers.he_normal(), rngs=rngs)
        self.head = nnx.Linear(64, 4, rngs=rngs)

    def __call__(self, images):
        h = nnx.relu(self.hidden_1(images.reshape(len(images), -1)))
        h = nnx.relu(self.hidden_2(h))
        return nnx.sigmoid(self.head(h) / TEMPERATURE)


def make():
    return Quarters(nnx.Rngs(0))


def batch():
    images = synthetic.blobs(128)
    halves = images.reshape(128, 2, 14, 2, 14).sum((2, 4)).reshape(128, 4)
    return {"images": images, "lit": (halves > 12).astype("float32")}


def loss(probability, batch):
    lit = batch["lit"]
    surprise = -lit * jnp.log(probability)
    surprise -= (1 - lit) * jnp.log(1 - probability)
    return surprise.sum(-1).mean()
