"""A convolutional VAE, Linen, with the usual bound, pixels and KL summed and averaged over the batch: healthy."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax.ad_checkpoint import checkpoint_name

from tests.doctor_cases import synthetic

LATENTS = 24


class VAE(nn.Module):
    @nn.compact
    def __call__(self, x, z_rng):
        he = nn.initializers.he_normal()
        h = x
        for index, channels in enumerate((16, 32)):
            h = nn.relu(nn.Conv(channels, (4, 4), strides=2, name=f"down_{index}")(h))
        h = nn.relu(nn.Dense(64, kernel_init=he, name="hidden")(h.reshape(len(x), -1)))
        mean = checkpoint_name(nn.Dense(LATENTS, name="mean")(h), "mean")
        log_var = checkpoint_name(nn.Dense(LATENTS, name="log_var")(h), "log_var")
        z = checkpoint_name(mean + jnp.exp(0.5 * log_var) * jax.random.normal(z_rng, mean.shape), "z")
        h = nn.relu(nn.Dense(7 * 7 * 32, kernel_init=he, name="start")(z)).reshape(-1, 7, 7, 32)
        h = nn.relu(nn.ConvTranspose(16, (4, 4), (2, 2), kernel_init=he, name="up")(h))
        # The bias is the logit of the pixels' mean.
        logits = nn.ConvTranspose(1, (4, 4), (2, 2), bias_init=nn.initializers.constant(-2.2), name="pixels")(h)
        return checkpoint_name(logits, "reconstruction"), mean, log_var


def init():
    key, z_key = jax.random.split(jax.random.key(0))
    return VAE().init(key, jnp.zeros((1, 28, 28, 1)), z_key)


def batch():
    return synthetic.blobs(64, 28)[..., None]


def objective(params, batch, key):
    outputs: Any = VAE().apply(params, batch, key)
    logits, mean, log_var = outputs
    target = checkpoint_name(batch, "target")
    bernoulli = optax.sigmoid_binary_cross_entropy(logits, target).sum((1, 2, 3)).mean()
    kl = -0.5 * (1 + log_var - mean**2 - jnp.exp(log_var)).sum(-1).mean()
    return bernoulli + kl, {"bernoulli": bernoulli, "kl": kl}
