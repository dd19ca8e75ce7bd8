"""A model of an image and a row of a table, NNX, that returns a plain dataclass of a mean and a log scale: healthy."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from tests.doctor_cases import synthetic


@dataclasses.dataclass
class Prediction:
    mean: jax.Array
    log_scale: jax.Array


class Appraiser(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.conv_1 = nnx.Conv(1, 8, (3, 3), strides=2, rngs=rngs)
        self.conv_2 = nnx.Conv(8, 16, (3, 3), strides=2, rngs=rngs)
        self.from_image = nnx.Linear(16 * 4 * 4, 32, rngs=rngs)
        self.from_table = nnx.Linear(6, 32, rngs=rngs)
        self.joint = nnx.Linear(64, 32, rngs=rngs)
        self.head = nnx.Linear(32, 2, rngs=rngs)

    def __call__(self, image, table):
        seen = nnx.relu(self.conv_2(nnx.relu(self.conv_1(image))))
        seen = nnx.relu(self.from_image(seen.reshape(len(image), -1)))
        known = nnx.relu(self.from_table(table))
        mean, log_scale = jnp.moveaxis(self.head(nnx.relu(self.joint(jnp.concatenate([seen, known], axis=-1)))), -1, 0)
        return Prediction(mean=mean, log_scale=log_scale)


def make():
    return Appraiser(nnx.Rngs(0))


def batch():
    image = synthetic.blobs(128, 16)
    table = np.random.default_rng(6).normal(size=(128, 6)).astype(np.float32)
    price = 4 * image[:, :, :8].mean((1, 2)) + table[:, 0] - 0.5 * table[:, 1] * table[:, 2]
    return {"image": image[..., None], "table": table, "price": price}


def negative_log_likelihood(prediction, batch):
    z = (batch["price"] - prediction.mean) * jnp.exp(-prediction.log_scale)
    return jnp.mean(0.5 * z**2 + prediction.log_scale)
