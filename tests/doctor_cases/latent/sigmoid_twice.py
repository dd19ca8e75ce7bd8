"""A convolutional VAE of binary images, NNX: its probabilities go to a cross-entropy with a sigmoid of its own."""

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from tests.doctor_cases import synthetic


class VAE(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.conv_1 = nnx.Conv(1, 16, (3, 3), strides=2, rngs=rngs)
        self.conv_2 = nnx.Conv(16, 32, (3, 3), strides=2, rngs=rngs)
        self.heads = nnx.Linear(4 * 4 * 32, 16, rngs=rngs)
        self.unfold = nnx.Linear(8, 4 * 4 * 32, rngs=rngs)
        self.deconv_1 = nnx.ConvTranspose(32, 16, (3, 3), strides=(2, 2), rngs=rngs)
        self.deconv_2 = nnx.ConvTranspose(16, 1, (3, 3), strides=(2, 2), rngs=rngs)

    def __call__(self, images, key):
        h = nnx.tanh(self.conv_1(2 * images - 0.8))
        h = nnx.tanh(self.conv_2(h)).reshape(len(images), -1)
        mean, log_var = jnp.split(self.heads(h), 2, axis=-1)
        z = mean + jnp.exp(0.5 * log_var) * jax.random.normal(key, mean.shape)
        h = nnx.tanh(self.unfold(z)).reshape(-1, 4, 4, 32)
        h = nnx.tanh(self.deconv_1(h))
        return nnx.sigmoid(self.deconv_2(h)), mean, log_var


def make():
    return VAE(nnx.Rngs(0))


def batch():
    return (synthetic.photographs(128, 16)[..., :1] > 0.5).astype("float32")


def loss(outputs, images):
    pictures, mean, log_var = outputs
    cross_entropy = optax.sigmoid_binary_cross_entropy(pictures, images).sum((1, 2, 3))
    kl = 0.5 * jnp.sum(mean**2 + jnp.exp(log_var) - log_var - 1, axis=1)
    return jnp.mean(cross_entropy + kl)
