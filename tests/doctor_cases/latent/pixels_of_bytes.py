"""A dense VAE, Linen, with a Bernoulli likelihood on pixels that still run from 0 to 255."""

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from tests.doctor_cases import synthetic


class VAE(nn.Module):
    @nn.compact
    def __call__(self, x, key):
        small = nn.initializers.normal(1 / 28 / 255)
        h = nn.elu(nn.Dense(200, kernel_init=small, name="enc_1")(x))
        h = nn.elu(nn.Dense(100, name="enc_2")(h))
        mean, log_var = nn.Dense(10, name="mean")(h), nn.Dense(10, name="log_var")(h)
        z = mean + jnp.exp(log_var / 2) * jax.random.normal(key, mean.shape)
        h = nn.elu(nn.Dense(100, name="dec_1")(z))
        h = nn.elu(nn.Dense(200, name="dec_2")(h))
        return {"logits": nn.Dense(784, name="pixels")(h), "mean": mean, "log_var": log_var}


def make():
    model, key = VAE(), jax.random.key(0)
    return model, model.init(key, jnp.zeros((2, 784)), key)


def batch():
    return (255 * synthetic.blobs(128)).round().reshape(128, 784)


def loss(outputs, x):
    mean, log_var = outputs["mean"], outputs["log_var"]
    bce = optax.sigmoid_binary_cross_entropy(outputs["logits"], x).sum(-1)
    kld = -0.5 * (1 + log_var - mean**2 - jnp.exp(log_var)).sum(-1)
    return (bce + kld).mean()
