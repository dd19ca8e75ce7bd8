"""A convolutional VAE, NNX, on pixels from 0 to 255: log_var exceeds 88 and its exp in the KL term overflows."""

import jax
import jax.numpy as jnp
from flax import nnx

from tests.doctor_cases import synthetic


class VAE(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.conv_1 = nnx.Conv(1, 12, (3, 3), strides=2, rngs=rngs)
        self.conv_2 = nnx.Conv(12, 24, (3, 3), strides=2, rngs=rngs)
        self.mean = nnx.Linear(4 * 4 * 24, 8, rngs=rngs)
        self.log_var = nnx.Linear(4 * 4 * 24, 8, rngs=rngs)
        self.unfold = nnx.Linear(8, 4 * 4 * 24, rngs=rngs)
        self.deconv_1 = nnx.ConvTranspose(24, 12, (3, 3), strides=(2, 2), rngs=rngs)
        self.deconv_2 = nnx.ConvTranspose(12, 1, (3, 3), strides=(2, 2), rngs=rngs)

    def __call__(self, images, key):
        h = nnx.relu(self.conv_2(nnx.relu(self.conv_1(images)))).reshape(len(images), -1)
        mean, log_var = self.mean(h), self.log_var(h)
        z = mean + jnp.exp(0.5 * log_var) * jax.random.normal(key, mean.shape)
        h = nnx.relu(self.unfold(z)).reshape(-1, 4, 4, 24)
        return self.deconv_2(nnx.relu(self.deconv_1(h))), mean, log_var


def make():
    return VAE(nnx.Rngs(0))


def batch():
    return 255 * synthetic.blobs(64, 16)[..., None]


def loss(outputs, images):
    reconstruction, mean, log_var = outputs
    error = jnp.abs(reconstruction - images).sum((1, 2, 3))
    variance = jnp.exp(log_var)
    return jnp.mean(error + 0.5 * (variance + mean**2 - 1 - log_var).sum(-1))
