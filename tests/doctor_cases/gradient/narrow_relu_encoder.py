"""A VAE, Linen, with an encoder of 24 dense ReLU layers of width 64, He's weights: all examples come out alike."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax.ad_checkpoint import checkpoint_name

from tests.doctor_cases import synthetic


class Encoder(nn.Module):
    depth: int = 24

    @nn.compact
    def __call__(self, h):
        for index in range(self.depth):
            h = nn.relu(nn.Dense(64, kernel_init=nn.initializers.he_normal(), name=f"dense_{index}")(h))
        return nn.Dense(10, name="mean")(h), nn.Dense(10, name="log_var")(h)


class VAE(nn.Module):
    @nn.compact
    def __call__(self, images, key):
        mean, log_var = Encoder(name="encoder")(images.reshape(len(images), -1))
        mean, log_var = checkpoint_name(mean, "mean"), checkpoint_name(log_var, "log_var")
        z = checkpoint_name(mean + jnp.exp(0.5 * log_var) * jax.random.normal(key, mean.shape), "z")
        logits = nn.Dense(784, name="pixels")(nn.tanh(nn.Dense(128, name="decoder")(z)))
        return checkpoint_name(logits.reshape(images.shape), "reconstruction"), mean, log_var


def make():
    keys = jax.random.split(jax.random.key(0))
    return VAE().init(keys[0], jnp.zeros((1, 28, 28)), keys[1])


def batch():
    return synthetic.blobs(128, 28)


def objective(params, batch, key):
    outputs: Any = VAE().apply(params, batch, key)
    logits, mean, log_var = outputs
    pixels = optax.sigmoid_binary_cross_entropy(logits, checkpoint_name(batch, "target")).sum((1, 2))
    return jnp.mean(pixels + 0.5 * (jnp.exp(log_var) + mean**2 - 1 - log_var).sum(-1))
