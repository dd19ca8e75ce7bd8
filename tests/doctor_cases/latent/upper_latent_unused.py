"""A VAE with two levels of latents, Linen, whose decoder reads the lower one only: z.1 is drawn and paid in vain."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.ad_checkpoint import checkpoint_name

from tests.doctor_cases import synthetic


class Posterior(nn.Module):
    level: int
    latent: int

    @nn.compact
    def __call__(self, h, key):
        mean = checkpoint_name(nn.Dense(self.latent, name="mean")(h), f"mean.{self.level}")
        log_var = checkpoint_name(nn.Dense(self.latent, name="log_var")(h), f"log_var.{self.level}")
        z = checkpoint_name(mean + jnp.exp(0.5 * log_var) * jax.random.normal(key, mean.shape), f"z.{self.level}")
        return z, 0.5 * (jnp.exp(log_var) + mean**2 - 1 - log_var).sum(-1)


class TwoLevels(nn.Module):
    @nn.compact
    def __call__(self, series, key):
        lower_key, upper_key = jax.random.split(key)
        lower = nn.tanh(nn.Dense(128, name="lower")(series.reshape(len(series), -1)))
        upper = nn.tanh(nn.Dense(64, name="upper")(lower))
        z_lower, lower_nats = Posterior(0, 12, name="posterior_0")(lower, lower_key)
        z_upper, upper_nats = Posterior(1, 4, name="posterior_1")(upper, upper_key)
        hidden = nn.tanh(nn.Dense(128, name="decode")(z_lower))
        return nn.Dense(96, name="series")(hidden), lower_nats + upper_nats, (z_lower, z_upper)


def make():
    key = jax.random.key(0)
    return TwoLevels().init(key, jnp.zeros((2, 48, 2)), key)["params"]


def batch():
    return synthetic.waves(128)


def objective(params, series, key):
    outputs: Any = TwoLevels().apply({"params": params}, series, key)
    again, nats, _ = outputs
    return jnp.mean(((series.reshape(again.shape) - again) ** 2).sum(-1) / 2 + nats)
