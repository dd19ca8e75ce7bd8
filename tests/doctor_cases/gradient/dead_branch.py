"""A network of two Inception blocks, Linen; in the second, the 5x5 branch starts with a bias of -30 and is dead."""

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from tests.doctor_cases import synthetic


class Inception(nn.Module):
    channels: int
    wide_bias: float = 0.0

    @nn.compact
    def __call__(self, x):
        he = nn.initializers.he_normal()
        bias = nn.initializers.constant(self.wide_bias)
        narrow = nn.relu(nn.Conv(self.channels, (3, 3), kernel_init=he, name="branch_3x3")(x))
        wide = nn.relu(nn.Conv(self.channels, (5, 5), kernel_init=he, bias_init=bias, name="branch_5x5")(x))
        return jnp.concatenate([narrow, wide], axis=-1)


class Network(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.max_pool(Inception(8, name="block_1")(x), (2, 2), strides=(2, 2))
        x = nn.max_pool(Inception(12, wide_bias=-30.0, name="block_2")(x), (2, 2), strides=(2, 2))
        x = nn.relu(nn.Dense(48, kernel_init=nn.initializers.he_normal(), name="hidden")(x.reshape(len(x), -1)))
        return nn.Dense(4, name="logits")(x)


def make():
    network = Network()
    return network, network.init(jax.random.key(0), jnp.zeros((1, 16, 16, 1)))


def batch():
    images = synthetic.blobs(64, 16)
    return {"x": images[..., None], "labels": synthetic.quadrant(images)}


def loss(logits, batch):
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch["labels"]).mean()
