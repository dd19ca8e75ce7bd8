"""A VAE of short series, NNX, whose posterior has shrunk to a point: the bias of log_var stands at -30."""

import jax
import jax.numpy as jnp
from flax import nnx

from tests.doctor_cases import synthetic


class VAE(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        narrow = nnx.initializers.constant(-30.0)
        self.encode = nnx.Linear(96, 128, rngs=rngs)
        self.mean = nnx.Linear(128, 16, rngs=rngs)
        self.log_var = nnx.Linear(128, 16, bias_init=narrow, rngs=rngs)
        self.decode = nnx.Linear(16, 128, rngs=rngs)
        self.series = nnx.Linear(128, 96, rngs=rngs)

    def __call__(self, x, key):
        h = nnx.tanh(self.encode(x.reshape(len(x), 96)))
        mean, log_var = self.mean(h), self.log_var(h)
        z = mean + jnp.exp(0.5 * log_var) * jax.random.normal(key, mean.shape)
        return self.series(nnx.tanh(self.decode(z))).reshape(x.shape), mean, log_var


def make():
    return VAE(nnx.Rngs(5))


def batch():
    return synthetic.waves(128)


def loss(outputs, x):
    series, mean, log_var = outputs
    error = 0.5 * ((series - x) ** 2).sum((1, 2)).mean() / 0.1
    kl = 0.5 * (jnp.exp(log_var) + mean**2 - 1 - log_var).sum(-1).mean()
    return error + kl, {"error": error, "kl": kl}
