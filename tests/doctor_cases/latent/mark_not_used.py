"""A dense VAE, plain JAX, that marks z with checkpoint_name but goes on with the unmarked one."""

import jax
import jax.numpy as jnp
import optax
from jax.ad_checkpoint import checkpoint_name

from tests.doctor_cases import synthetic

SIZES = {"encode": (784, 128), "mean": (128, 10), "log_var": (128, 10), "decode": (10, 128), "pixels": (128, 784)}


def make():
    keys = jax.random.split(jax.random.key(4), len(SIZES))
    return {
        name: {"w": jax.random.normal(key, size) / size[0] ** 0.5, "b": jnp.zeros(size[1])}
        for key, (name, size) in zip(keys, SIZES.items(), strict=True)
    }


def batch():
    return synthetic.blobs(128).reshape(128, 784)


def dense(layer, x):
    return x @ layer["w"] + layer["b"]


def objective(params, images, key):
    hidden = jnp.tanh(dense(params["encode"], images))
    mean = checkpoint_name(dense(params["mean"], hidden), "mean")
    log_var = checkpoint_name(dense(params["log_var"], hidden), "log_var")
    z = mean + jnp.exp(0.5 * log_var) * jax.random.normal(key, mean.shape)
    checkpoint_name(z, "z")
    logits = dense(params["pixels"], jnp.tanh(dense(params["decode"], z)))
    reconstruction = optax.sigmoid_binary_cross_entropy(logits, images).sum(-1)
    return jnp.mean(reconstruction + 0.5 * (jnp.exp(log_var) + mean**2 - 1 - log_var).sum(-1))
