"""A convolutional regressor, NNX, whose predictions (batch, 1) are compared with targets (batch,), each with all."""

import jax.numpy as jnp
from flax import nnx

from tests.doctor_cases import synthetic


class Regressor(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.conv_1 = nnx.Conv(1, 16, (3, 3), rngs=rngs)
        self.conv_2 = nnx.Conv(16, 32, (3, 3), rngs=rngs)
        self.hidden = nnx.Linear(4 * 4 * 32, 64, rngs=rngs)
        self.head = nnx.Linear(64, 1, rngs=rngs)

    def __call__(self, images):
        h = images[..., None]
        for conv in (self.conv_1, self.conv_2):
            h = nnx.avg_pool(nnx.relu(conv(h)), (2, 2), (2, 2))
        return self.head(nnx.relu(self.hidden(h.reshape(len(h), -1))))


def make():
    return Regressor(nnx.Rngs(0))


def batch():
    images = synthetic.blobs(64, 16)
    return {"images": images, "brightness": images.mean((1, 2)) / images.mean()}


def loss(prediction, batch):
    return jnp.mean((prediction - batch["brightness"]) ** 2)
