"""A healthy convolutional autoencoder, Linen, whose batch is one image many times over."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from tests.doctor_cases import synthetic


class AutoEncoder(nn.Module):
    @nn.compact
    def __call__(self, images):
        h = nn.relu(nn.Conv(16, (3, 3), 2, name="down_1")(images))
        h = nn.relu(nn.Conv(32, (3, 3), 2, name="down_2")(h))
        code = nn.Dense(24, name="code")(h.reshape(len(h), -1))
        h = nn.relu(nn.Dense(8 * 8 * 32, name="unfold")(code)).reshape(-1, 8, 8, 32)
        h = nn.relu(nn.ConvTranspose(16, (3, 3), (2, 2), name="up_1")(h))
        return nn.ConvTranspose(3, (3, 3), (2, 2), name="up_2")(h)


def make():
    model = AutoEncoder()
    return model, model.init(jax.random.key(2), jnp.zeros((2, 32, 32, 3)))


def batch():
    first = synthetic.photographs(8)[:1]
    return np.repeat(first, 64, axis=0)


def loss(outputs, batch):
    return ((outputs - batch) ** 2).mean()
