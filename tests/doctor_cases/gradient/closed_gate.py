"""A convolutional regressor, NNX, whose second convolution has a bias of -25 before a sigmoid: every unit is shut."""

import jax
import jax.numpy as jnp
from flax import nnx

from tests.doctor_cases import synthetic


class GatedNet(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.conv_1 = nnx.Conv(1, 12, (5, 5), strides=2, rngs=rngs)
        self.conv_2 = nnx.Conv(12, 16, (3, 3), bias_init=nnx.initializers.constant(-25.0), rngs=rngs)
        self.conv_3 = nnx.Conv(16, 16, (3, 3), strides=2, rngs=rngs)
        self.head = nnx.Linear(16 * 4 * 4, 2, rngs=rngs)

    def __call__(self, image):
        h = jax.nn.gelu(self.conv_1(image))
        h = jax.nn.sigmoid(self.conv_2(h))
        h = jax.nn.gelu(self.conv_3(h))
        return self.head(h.reshape(h.shape[0], -1))


def make():
    return GatedNet(nnx.Rngs(0))


def batch():
    images = synthetic.blobs(64, 16)
    place = jnp.linspace(-1, 1, 16)
    light = images.sum((1, 2))
    centre = jnp.stack([(images.sum(2) * place).sum(1) / light, (images.sum(1) * place).sum(1) / light], axis=1)
    return {"image": images[..., None], "centre": centre}


def loss(predicted, batch):
    return jnp.mean((predicted - batch["centre"]) ** 2)
