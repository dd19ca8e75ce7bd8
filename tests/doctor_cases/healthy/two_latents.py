"""A hierarchical VAE in plain JAX, z.1 above z.0, whose prior it gives, pixels of unit variance: healthy."""

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name

from tests.doctor_cases import synthetic

SIZES = {"encode_0": (256, 128), "encode_1": (128, 64), "posterior_1": (64, 16), "posterior_0": (128, 32)}
SIZES |= {"top": (8, 64), "prior_0": (64, 32), "bottom": (16 + 64, 128), "pixels": (128, 256)}


def init_parameters():
    weights = jax.nn.initializers.lecun_normal()
    keys = jax.random.split(jax.random.key(0), len(SIZES))
    return {n: {"w": weights(k, s), "b": jnp.zeros(s[1])} for k, (n, s) in zip(keys, SIZES.items(), strict=True)}


def draw(level, statistics, key):
    mean, log_var = jnp.split(statistics, 2, axis=-1)
    mean, log_var = checkpoint_name(mean, f"mean.{level}"), checkpoint_name(log_var, f"log_var.{level}")
    z = mean + jnp.exp(0.5 * log_var) * jax.random.normal(key, mean.shape)
    return mean, log_var, checkpoint_name(z, f"z.{level}")


def divergence(mean, log_var, prior_mean, prior_log_var):
    ratio = (jnp.exp(log_var) + (mean - prior_mean) ** 2) / jnp.exp(prior_log_var)
    return 0.5 * (ratio - 1 + prior_log_var - log_var).sum(-1).mean()


def negative_elbo(params, batch, key):
    def dense(name, h):
        return h @ params[name]["w"] + params[name]["b"]

    keys = jax.random.split(key)
    h_0 = jax.nn.silu(dense("encode_0", batch))
    h_1 = jax.nn.silu(dense("encode_1", h_0))
    mean_1, log_var_1, z_1 = draw(1, dense("posterior_1", h_1), keys[0])
    mean_0, log_var_0, z_0 = draw(0, dense("posterior_0", h_0), keys[1])
    top = jax.nn.silu(dense("top", z_1))
    kl_0 = divergence(mean_0, log_var_0, *jnp.split(dense("prior_0", top), 2, axis=-1))
    h = jax.nn.silu(dense("bottom", jnp.concatenate([z_0, top], axis=-1)))
    error = checkpoint_name(batch, "target") - checkpoint_name(dense("pixels", h), "reconstruction")
    return 0.5 * jnp.sum(error**2, axis=-1).mean() + kl_0 + divergence(mean_1, log_var_1, 0.0, 0.0)


def batch():
    images = synthetic.blobs(128, 16).reshape(128, -1)
    return (images - images.mean(0)) / images.std()
