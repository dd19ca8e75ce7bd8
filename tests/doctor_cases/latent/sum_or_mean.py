"""A convolutional VAE at its first weights whose squared error is averaged over the pixels while the KL is summed."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from tests.doctor_cases import synthetic


class ConvVAE(nn.Module):
    latent: int = 12

    @nn.compact
    def __call__(self, images, key):
        h = (images[..., None] - 0.15) / 0.25
        h = nn.silu(nn.Conv(16, (3, 3), 2, name="down_1")(h))
        h = nn.silu(nn.Conv(32, (3, 3), 2, name="down_2")(h))
        h = h.reshape(len(h), -1)
        mean, log_var = nn.Dense(self.latent, name="mean")(h), nn.Dense(self.latent, name="log_var")(h)
        z = mean + jnp.exp(0.5 * log_var) * jax.random.normal(key, mean.shape)
        h = nn.silu(nn.Dense(7 * 7 * 32, name="unfold")(z)).reshape(-1, 7, 7, 32)
        h = nn.silu(nn.ConvTranspose(16, (3, 3), (2, 2), name="up_1")(h))
        h = nn.ConvTranspose(1, (3, 3), (2, 2), name="up_2")(h)
        return nn.sigmoid(h[..., 0]), mean, log_var


def make():
    model, key = ConvVAE(), jax.random.key(1)
    return model, model.init(key, jnp.zeros((2, 28, 28)), key)


def batch():
    return synthetic.blobs(64)


def loss(outputs, batch):
    reconstruction, mean, log_var = outputs
    error = jnp.mean((reconstruction - batch) ** 2, axis=(1, 2))
    divergence = -0.5 * jnp.sum(1 + log_var - mean**2 - jnp.exp(log_var), axis=-1)
    return jnp.mean(error + divergence)
