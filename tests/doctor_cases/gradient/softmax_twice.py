"""A classifier of 100 classes, Linen, whose probabilities are given to a cross-entropy that takes logits."""

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from tests.doctor_cases import synthetic


class Locator(nn.Module):
    cells: int = 100

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(16, (3, 3), strides=2, name="conv_1")(x))
        x = nn.relu(nn.Conv(32, (3, 3), strides=2, name="conv_2")(x))
        x = nn.relu(nn.Dense(96, name="hidden")(x.reshape(len(x), -1)))
        return nn.softmax(nn.Dense(self.cells, name="cells")(x))


def make():
    locator = Locator()
    return locator, locator.init(jax.random.key(0), jnp.zeros((1, 20, 20, 1)))


def batch():
    images = synthetic.blobs(128, 20)
    brightest = images.reshape(128, -1).argmax(axis=1)
    row, column = brightest // 20 // 2, brightest % 20 // 2
    return {"x": images[..., None], "labels": (10 * row + column).astype("int32")}


def cross_entropy(outputs, batch):
    return optax.softmax_cross_entropy_with_integer_labels(outputs, batch["labels"]).mean()
