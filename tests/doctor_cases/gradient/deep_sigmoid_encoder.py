"""A dense VAE, Linen, whose encoder is eight sigmoid layers deep: the gradient vanishes on its way through them."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax.ad_checkpoint import checkpoint_name

from tests.doctor_cases import synthetic


class DeepVAE(nn.Module):
    latent: int = 8

    @nn.compact
    def __call__(self, x, key):
        h, small = x, nn.initializers.normal(0.05)
        for index in range(8):
            h = nn.sigmoid(nn.Dense(128, kernel_init=small, name=f"encoder_{index}")(h))
        mean, log_var = nn.Dense(self.latent, name="mean")(h), nn.Dense(self.latent, name="log_var")(h)
        mean, log_var = checkpoint_name(mean, "mean"), checkpoint_name(log_var, "log_var")
        z = checkpoint_name(mean + jnp.exp(log_var / 2) * jax.random.normal(key, mean.shape), "z")
        h = nn.relu(nn.Dense(128, name="decoder")(z))
        return nn.Dense(x.shape[-1], name="pixels")(h), mean, log_var


def make():
    keys = jax.random.split(jax.random.key(0))
    return DeepVAE().init(keys[0], jnp.zeros((1, 784)), keys[1])["params"]


def batch():
    return synthetic.blobs(128, 28).reshape(128, 784)


def objective(params, batch, key):
    outputs: Any = DeepVAE().apply({"params": params}, batch, key)
    logits, mean, log_var = outputs
    reconstruction = optax.sigmoid_binary_cross_entropy(logits, batch).sum(-1).mean()
    kl = 0.5 * (jnp.exp(log_var) + mean**2 - 1 - log_var).sum(-1).mean()
    return reconstruction + kl, {"reconstruction": reconstruction, "kl": kl}
