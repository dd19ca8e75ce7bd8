"""A convolutional autoencoder, NNX, that keeps 64 bits of an image: round leaves its encoder without a gradient."""

import jax.numpy as jnp
import optax
from flax import nnx

from tests.doctor_cases import synthetic


class Hashing(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.conv_1 = nnx.Conv(1, 16, (3, 3), strides=2, rngs=rngs)
        self.conv_2 = nnx.Conv(16, 4, (3, 3), strides=2, rngs=rngs)
        self.unfold = nnx.Conv(4, 32, (3, 3), rngs=rngs)
        self.deconv_1 = nnx.ConvTranspose(32, 16, (3, 3), strides=(2, 2), rngs=rngs)
        self.deconv_2 = nnx.ConvTranspose(16, 1, (3, 3), strides=(2, 2), rngs=rngs)

    def encode(self, images):
        h = nnx.elu(self.conv_1(images))
        share = nnx.sigmoid(4 * self.conv_2(h))
        return jnp.round(share)

    def __call__(self, images):
        h = nnx.elu(self.unfold(self.encode(images)))
        return self.deconv_2(nnx.elu(self.deconv_1(h)))


def make():
    return Hashing(nnx.Rngs(0))


def batch():
    return synthetic.blobs(64, 16)[..., None]


def loss(logits, images):
    return optax.sigmoid_binary_cross_entropy(logits, images).mean()
